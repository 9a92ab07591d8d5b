"""Planning again from the last plan: what nothing has touched stays, the rest is solved, the last prices prove it."""

import hashlib
from dataclasses import replace
from typing import Final

import numpy as np

from alliage.decide.solve.answer import Plan, Warm
from alliage.decide.solve.bundles import Bundle, price
from alliage.decide.solve.counts import cost_of, holds, rounded
from alliage.decide.solve.highs import Meter, Setting, search
from alliage.decide.solve.linking import Linked, link
from alliage.decide.solve.model import Floats, Model
from alliage.decide.solve.money import Money, money_setting
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.whole import AIM, fix, gap_of

TURNS: Final = 3
AGAIN: Final = 1.5
"""Planning again may prove so many times the gap asked for: the plan that runs has paid its cold starts, so that what it
was short of the best counts for more of what is left. A plan made afresh would move much to gain little."""


def fingerprint(problem: Problem) -> str:
    """Of everything but nodes and what runs: plans of problems that agree in it may start from each other."""
    pools = tuple(replace(pool, nodes=0) for pool in problem.pools)
    still = replace(problem, pools=pools, running=())
    return hashlib.sha256(repr(still).encode()).hexdigest()


def replan(model: Model, meter: Meter, last: Plan, warm: Warm) -> Money | None:
    """The cheapest plan that leaves alone whatever runs as it was planned; None where it proves too little."""
    setting = money_setting(model, warm.floors)
    linked = link(model)
    names = model.rows.names
    duals = np.array([warm.duals.get(names[row], 0.0) for row in linked.rows]) * (warm.scale / model.scale)
    bound = _bound(model, setting, linked, duals, warm)
    columns: list[list[int]] = [[] for _ in model.options]
    for column, option in enumerate(model.option_of.tolist()):
        columns[option].append(column)
    fixed = _untouched(model, last)
    target = bound / (1.0 - AIM * meter.budget.gap) if bound > 0 else None
    for turn in range(TURNS):
        limited = fix(model, setting, linked, fixed, columns)
        found = search(model, limited, meter, gap=meter.budget.gap / 8, target=target, share=0.2)
        if found.x is not None:
            whole = rounded(model, found.x)
            value = cost_of(whole, setting)
            if holds(model, whole, setting) and gap_of(value, bound) <= AGAIN * meter.budget.gap:
                known = np.zeros(len(names))
                known[linked.rows] = duals
                return Money(x=whole, value=value, bound=bound, duals=known)
        fixed = _fewer(model, fixed, turn)
    return None


def _bound(model: Model, setting: Setting, linked: Linked, duals: Floats, warm: Warm) -> float:
    """What the last prices prove of the problem as it is now.

    They were found when `origin` ran, and cold starts counted from there. No way from there to a plan costs more than
    the way over what runs now, so what is proven of plans that start there, less the starts from there to what runs
    now, is proven of plans that start here.
    """
    problem = model.problem
    hours = problem.horizon_s / 3600.0
    cost = setting.cost.copy()
    passed = 0.0
    starts = np.zeros(len(model.options))
    for index, option in enumerate(model.options):
        work = problem.works[option.work]
        origin = warm.origin.get((work.name, option.way.name, problem.pools[option.pool].name), 0)
        start = work.start_micros / hours / model.scale
        starts[index] = 0.0 if origin else start
        passed += start * max(0, option.running - origin)
    listed = np.array(
        [option.gang.devices * problem.pools[option.pool].price_micros / model.scale for option in model.options]
    )
    if len(listed):
        cost[: model.choices] = (listed + starts)[model.option_of]
    there = replace(setting, cost=cost)
    return price(model, there, linked, duals).bound - passed


def _untouched(model: Model, last: Plan) -> dict[int, Bundle]:
    """Works all of whose planned replicas and jobs run, with these."""
    planned: dict[str, int] = {}
    for each in last.assigned:
        planned[each.work] = planned.get(each.work, 0) + each.count
    running: dict[int, dict[int, int]] = {}
    for index, option in enumerate(model.options):
        if option.running:
            running.setdefault(option.work, {})[index] = option.running
    works = {option.work for option in model.options}
    return {
        work: tuple(sorted(running.get(work, {}).items()))
        for work in sorted(works)
        if sum(running.get(work, {}).values()) == planned.get(model.problem.works[work].name, 0)
    }


def _fewer(model: Model, fixed: dict[int, Bundle], turn: int) -> dict[int, Bundle]:
    """Open a tenth of what is fixed: the works with the fewest devices, which are cheapest to move."""
    size = {
        work: sum(model.options[option].gang.devices * count for option, count in bundle)
        for work, bundle in fixed.items()
    }
    ordered = sorted(size, key=lambda work: (size[work], work))
    return {work: fixed[work] for work in ordered[max(4, len(ordered) * (turn + 1) // 10) :]}
