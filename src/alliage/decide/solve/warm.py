"""Planning again from the last plan: what nothing has touched stays, the rest is solved, the last prices prove it."""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alliage.decide.solve.answer import Plan, Warm
from alliage.decide.solve.bundles import Bundle, price
from alliage.decide.solve.counts import by_option, cost_of, holds, rounded
from alliage.decide.solve.highs import search
from alliage.decide.solve.linking import Linked, link
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.money import Money, money_setting
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.decide.solve.rows import INF, Floats
from alliage.decide.solve.setting import Setting
from alliage.decide.solve.whole import AIM, SEARCH_SHARE, fix, gap_of

TURNS: Final = 2
AGAIN: Final = 1.5
"""Where the gap asked for is not to be had, planning again may prove so many times as much and say that it was cut short:
the plan that runs has paid its cold starts, so that what it was short of the best counts for more of what is left. A
plan made afresh would move much to gain little."""


def fingerprint(problem: Problem) -> str:
    """Of everything but nodes and what runs: plans of problems that agree in it may start from each other."""
    pools = tuple(replace(pool, nodes=0) for pool in problem.pools)
    still = replace(problem, pools=pools, running=())
    return hashlib.sha256(repr(still).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """What came of it, and why it starts more than was lost, if it does."""

    money: Money
    more_starts: tuple[Why, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    x: Floats
    value: float
    gap: float
    starts: int


def replan(model: Model, meter: Meter, last: Plan, warm: Warm) -> Replanned | None:
    """The cheapest plan that leaves alone whatever runs as it was planned; None where it proves too little.

    It starts no more than was lost, unless the gap asked for is not to be had so. Where it is not to be had at all, a
    plan with so few starts may prove less. The bound that is quick to have is tried first.
    """
    setting = money_setting(model, warm.floors)
    linked = link(model)
    names = model.rows.names
    duals = np.array([warm.duals.get(names[row], 0.0) for row in linked.rows]) * (warm.scale / model.scale)
    bound = _bound(model, setting, linked, duals, warm)
    known = np.zeros(len(names))
    known[linked.rows] = duals
    lost = _lost(model, last)
    limited, untouched, gap = with_few_starts(model, setting, lost), _untouched(model, last), meter.budget.gap
    few = _closest(limited, linked, untouched, bound, meter, turns=1)
    if few is None or few.gap > gap:
        bound = max(bound, price(model, setting, linked, duals).bound)
        if few is None or gap_of(few.value, bound) > gap:
            few = _closest(limited, linked, untouched, bound, meter, turns=TURNS)
        else:
            few = replace(few, gap=gap_of(few.value, bound))
    found: _Found | None = few
    why: tuple[Why, ...] = ()
    if few is None or few.gap > gap or few.starts > lost:
        free = _closest((model, setting), linked, untouched, bound, meter, turns=TURNS)
        if free is not None and free.gap <= gap:
            found, why = free, _why(few, free, lost)
    if found is None or found.gap > AGAIN * meter.budget.gap:
        return None
    return Replanned(money=Money(x=found.x, value=found.value, bound=bound, duals=known), more_starts=why)


def _closest(
    what: tuple[Model, Setting], linked: Linked, fixed: dict[int, Bundle], bound: float, meter: Meter, *, turns: int
) -> _Found | None:
    """Whole counts with these works as they are; with a tenth of them open where that proves too little."""
    model, setting = what
    columns: list[list[int]] = [[] for _ in model.options]
    for column, option in enumerate(model.option_of.tolist()):
        columns[option].append(column)
    target = bound / (1.0 - AIM * meter.budget.gap) if bound > 0 else None
    best: _Found | None = None
    for turn in range(turns):
        limited = fix(model, setting, linked, fixed, columns)
        found = search(model, limited, meter, gap=meter.budget.gap / 8, target=target, share=SEARCH_SHARE)
        whole = None if found.x is None else rounded(model, found.x)
        if whole is not None and holds(model, whole, setting):
            value = cost_of(whole, setting)
            if best is None or value < best.value:
                best = _Found(x=whole, value=value, gap=gap_of(value, bound), starts=_starts(model, whole))
            if best.gap <= meter.budget.gap:
                break
        fixed = _fewer(model, fixed, turn)
    return best


def _starts(model: Model, x: Floats) -> int:
    counts = by_option(model, x)
    return sum(max(0, count - option.running) for option, count in zip(model.options, counts, strict=True))


def _lost(model: Model, last: Plan) -> int:
    """How many of what was planned do not run."""
    runs = {(each.work, each.way, each.pool): each.count for each in model.problem.running}
    return sum(max(0, each.count - runs.get((each.work, each.way, each.pool), 0)) for each in last.assigned)


def with_few_starts(model: Model, setting: Setting, most: int) -> tuple[Model, Setting]:
    """The programme with one row more: no more than so many starts.

    Of an option that runs and costs nothing to start, what is started and what stays are one column: there stops make
    up for starts, so that the counts have to be looked at.
    """
    running = np.array([option.running for option in model.options], dtype=np.float64)
    runs = running[model.option_of] if len(running) else np.zeros(0)
    single = ~model.is_start & (model.upper[: model.choices] > runs)
    columns = np.flatnonzero(model.is_start | single)
    limit = most + float(runs[single].sum())
    at = model.starts[columns + 1]
    row = len(model.rows.names)
    added = np.zeros(len(model.starts), dtype=np.int32)
    added[columns + 1] = 1
    rows = replace(
        model.rows,
        names=(*model.rows.names, "starts"),
        lower=np.append(model.rows.lower, -INF),
        upper=np.append(model.rows.upper, limit),
    )
    model = replace(
        model,
        starts=(model.starts + np.cumsum(added)).astype(np.int32),
        rows_at=np.insert(model.rows_at, at, row).astype(np.int32),
        values=np.insert(model.values, at, 1.0),
        rows=rows,
    )
    lower, upper = np.append(setting.row_lower, -INF), np.append(setting.row_upper, limit)
    return model, replace(setting, row_lower=lower, row_upper=upper)


def _why(few: _Found | None, free: _Found, lost: int) -> tuple[Why, ...]:
    if free.starts <= lost:
        return ()
    facts: dict[str, str | int | float] = {"lost": lost, "starts": free.starts}
    if few is not None and few.starts <= lost:
        facts["gap"] = few.gap
    return (Why(code=WhyCode.MORE_STARTS, facts=facts),)


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
