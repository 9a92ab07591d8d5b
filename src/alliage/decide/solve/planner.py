"""plan: the problem in, the answer out. Stages in turn, then what nobody may break is checked, then the reasons."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from alliage.decide.solve.answer import (
    Budget,
    Infeasible,
    Plan,
    Stage,
    StageResult,
)
from alliage.decide.solve.answering import Settled, answer_of, money_result, standing_at
from alliage.decide.solve.breaches import examine
from alliage.decide.solve.checks import check, check_budget
from alliage.decide.solve.contradictions import contradiction
from alliage.decide.solve.counts import cost_of, holds, now_running, rounded
from alliage.decide.solve.gangs import Gang, pack
from alliage.decide.solve.guarantees import Kept, keep_guarantees, kept_rows
from alliage.decide.solve.highs import Solver
from alliage.decide.solve.levels import Guaranteed, common_part, fair_levels, floors_at, settle_guarantees
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model, build
from alliage.decide.solve.money import Money, money_setting, settle_money
from alliage.decide.solve.parts import by_work
from alliage.decide.solve.problem import Problem, ServiceAsk, Spread
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.warm import fingerprint, replan
from alliage.decide.solve.whole import mend

LARGE: Final = 2000
"""Columns from which on prices come first instead of the whole programme at once."""
PARTS_TRIED: Final = (1.0, 0.97, 0.9, 0.75, 0.5, 0.25, 0.0)
"""Of a large problem the common part of the levels is not searched for but tried, largest first."""
PACKINGS: Final = 3


def plan(problem: Problem, budget: Budget | None = None, last: Plan | None = None) -> Plan | Infeasible:
    """The plan of a problem; raises BadInput where a figure or a name in it cannot be.

    With `last`, the plan that runs now and was made for the same works, only what its difference touches is solved
    again, as long as that is within the gap asked for.
    """
    budget = budget or Budget()
    check_budget(budget)
    check(problem)
    wrong = contradiction(problem)
    if wrong is not None:
        return wrong
    model = build(problem)
    meter = Meter(budget)
    again = _planned_again(model, meter, last)
    if again is not None:
        return again
    solver = Solver(model, meter)
    settled = _settle(model, solver, meter)
    place = standing_at(model, settled.money.x)
    _, unkept = examine(place, by_work(model.parts))
    return answer_of(model, solver, settled, meter, place, unkept, last=None)


def _planned_again(model: Model, meter: Meter, last: Plan | None) -> Plan | None:
    """From the last plan; None where that proves too little, or would leave a guarantee broken."""
    if last is None or last.warm is None or last.warm.fingerprint != fingerprint(model.problem):
        return None
    again = replan(model, meter, last, last.warm)
    if again is None:
        return None
    place = standing_at(model, again.money.x)
    breaches, unkept = examine(place, by_work(model.parts))
    if breaches:
        return None
    settled = Settled(
        money=again.money,
        results=_carried(last, again.money, model),
        guaranteed={share.tenant: share.guaranteed for share in last.shares},
        levels={share.tenant: share.level for share in last.shares},
        floors=last.warm.floors,
    )
    answer = answer_of(model, Solver(model, meter), settled, meter, place, unkept, last=last)
    return replace(answer, more_starts=again.more_starts)


def _carried(last: Plan, money: Money, model: Model) -> tuple[StageResult, ...]:
    kept = tuple(result for result in last.stages if result.stage is not Stage.MONEY)
    return (*kept, money_result(model, money))


def _settle(model: Model, solver: Solver, meter: Meter) -> Settled:
    """Guarantees, shares, money; guarantees that the outcome would break are forced, and the rest settled again."""
    is_large = model.choices > LARGE
    guaranteed = _without_windfalls(model, settle_guarantees(model, meter, is_large=is_large), meter)
    levels = fair_levels(solver, guaranteed.served)
    kept = Kept(rows={})
    settled = _share_and_money(model, solver, meter, guaranteed, levels)
    for _ in range(4):
        more = keep_guarantees(model, guaranteed.x, standing_at(model, settled.money.x), kept)
        if more is None or meter.is_spent:
            break
        kept = more
        stricter = kept_rows(model, more)
        if is_large:
            again = _mended(stricter, meter, settled, more)
        else:
            again = _share_and_money(stricter, Solver(stricter, meter), meter, guaranteed, levels)
        if again is None:
            break
        settled = again
    return settled


def _without_windfalls(model: Model, guaranteed: Guaranteed, meter: Meter) -> Guaranteed:
    """Work that is held beyond its tenant's guarantee is no guarantee: it counts as a share like any other."""
    if not any(option.held for option in model.options):
        return guaranteed
    fresh = build(replace(model.problem, running=()))
    alone = settle_guarantees(fresh, meter, is_large=fresh.choices > LARGE).served
    served = {name: min(part, alone.get(name, 0.0)) for name, part in guaranteed.served.items()}
    return replace(guaranteed, served=served)


def _mended(model: Model, meter: Meter, settled: Settled, kept: Kept) -> Settled | None:
    """The plan there is, with only the works moved that the newest rows are about."""
    money = settled.money
    if money.x is None:
        return None
    setting = money_setting(model, settled.floors)
    x = mend(model, setting, money.x, kept.works, money.bound, meter)
    if x is None:
        return None
    money = replace(money, x=x, value=cost_of(x, setting))
    return replace(settled, money=money, results=(*settled.results[:-1], money_result(model, money)))


def _share_and_money(
    model: Model, solver: Solver, meter: Meter, guaranteed: Guaranteed, levels: Mapping[str, float]
) -> Settled:
    if model.choices > LARGE:
        settled = _tried(model, solver, meter, guaranteed, levels)
    else:
        settled = _searched(model, solver, meter, guaranteed, levels)
    return _packed(model, solver, meter, settled)


def _searched(
    model: Model, solver: Solver, meter: Meter, guaranteed: Guaranteed, levels: Mapping[str, float]
) -> Settled:
    found, result = common_part(model, meter, guaranteed.served, levels, None)
    floors = floors_at(result.value, guaranteed.served, levels)
    money = settle_money(model, solver, floors, meter, is_large=False)
    if money.x is None and found.x is not None:
        x = rounded(model, found.x)
        money = replace(money, x=x, value=cost_of(x, money_setting(model, floors)))
    return _settled(model, money, (*guaranteed.results, result), guaranteed, levels, floors)


def _tried(model: Model, solver: Solver, meter: Meter, guaranteed: Guaranteed, levels: Mapping[str, float]) -> Settled:
    money, part, floors = None, 0.0, dict(guaranteed.served)
    for part in PARTS_TRIED:
        floors = floors_at(part, guaranteed.served, levels)
        money = settle_money(model, solver, floors, meter, is_large=True)
        if money.x is not None or meter.is_spent:
            break
    if money is None:
        money = Money(x=None, value=float("inf"), bound=0.0, duals=None)
    result = StageResult(stage=Stage.SHARE, tier=0, value=part, bound=1.0, tolerance=0.01, is_cut_short=money.x is None)
    return _settled(model, money, (*guaranteed.results, result), guaranteed, levels, floors)


def _settled(  # noqa: PLR0917 - the parts of the answer
    model: Model,
    money: Money,
    results: tuple[StageResult, ...],
    guaranteed: Guaranteed,
    levels: Mapping[str, float],
    floors: Mapping[str, float],
) -> Settled:
    if money.x is None:
        x = _fallback(model, guaranteed)
        money = replace(money, x=x, value=cost_of(x, money_setting(model, {})))
    return Settled(
        money=money,
        results=(*results, money_result(model, money)),
        guaranteed=guaranteed.served,
        levels=levels,
        floors=floors,
    )


def _fallback(model: Model, guaranteed: Guaranteed) -> Floats:
    """When no search ended with anything: what guarantees gave, or at the least what is held."""
    running = now_running(model)
    setting = money_setting(model, {})
    fits = cost_of(running, setting) < cost_of(guaranteed.x, setting)
    return running if fits and holds(model, running, setting) else guaranteed.x


def _packed(model: Model, solver: Solver, meter: Meter, settled: Settled) -> Settled:
    """Replicas that must not share a node are really packed; those that find no node are given up, and money again."""
    for turn in range(PACKINGS):
        caps = _unpacked(model, settled.money.x)
        if not caps:
            return settled
        upper = model.upper.copy()
        x = np.zeros(len(upper)) if settled.money.x is None else settled.money.x.copy()
        for column, most in caps.items():
            upper[column] = x[column] = most
        model = replace(model, upper=upper)
        money = Money(x=None, value=0.0, bound=0.0, duals=None)
        if turn < PACKINGS - 1 and not meter.is_spent:
            money = settle_money(model, solver, settled.floors, meter, is_large=model.choices > LARGE)
        if money.x is None:
            x = rounded(model, x)
            money = replace(settled.money, x=x, value=cost_of(x, money_setting(model, {})))
        money = replace(money, bound=min(settled.money.bound, money.value))
        results = (*settled.results[:-1], money_result(model, money))
        settled = replace(settled, money=money, results=results)
    return settled


def _unpacked(model: Model, x: Floats | None) -> dict[int, float]:
    """Columns of which fewer can really be placed, with how many."""
    if x is None:
        return {}
    apart = frozenset(
        index
        for index, work in enumerate(model.problem.works)
        if isinstance(work, ServiceAsk) and work.spread is Spread.NODES
    )
    if not apart:
        return {}
    columns: dict[tuple[int, int, Gang], list[int]] = {}
    gangs: dict[int, list[tuple[int, Gang, int]]] = {}
    for column, index in enumerate(model.option_of.tolist()):
        option = model.options[index]
        if x[column] > 0:
            columns.setdefault((option.pool, option.work, option.gang), []).append(column)
            gangs.setdefault(option.pool, []).append((option.work, option.gang, int(x[column])))
    caps: dict[int, float] = {}
    for number, each in gangs.items():
        for (work, gang), missing in pack(each, model.problem.pools[number], apart=apart).items():
            left = float(missing)
            for column in reversed(columns[number, work, gang]):
                taken = min(left, x[column])
                caps[column] = x[column] - taken
                left -= taken
    return caps
