"""From what the stages came to, the answer: what stands where, what is missing and why, prices, and what it began from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alliage.decide.solve.answer import (
    Assigned,
    Move,
    Plan,
    Share,
    Stage,
    StageResult,
    Status,
    Unkept,
    Warm,
)
from alliage.decide.solve.counts import by_option, rounded, served_of
from alliage.decide.solve.highs import Solver
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.money import Money, gap_of
from alliage.decide.solve.obstacles import unmet_of
from alliage.decide.solve.parts import by_work
from alliage.decide.solve.prices import prices_of
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.standing import Standing, standing
from alliage.decide.solve.warm import fingerprint

OPTIMAL_GAP: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the stages came to."""

    money: Money
    results: tuple[StageResult, ...]
    guaranteed: Mapping[str, float]
    levels: Mapping[str, float]
    floors: Mapping[str, float]


def money_result(model: Model, money: Money) -> StageResult:
    """The money stage as a result, in micros an hour."""
    return StageResult(
        stage=Stage.MONEY,
        tier=0,
        value=money.value * model.scale,
        bound=money.bound * model.scale,
        tolerance=0.0,
        is_cut_short=False,
    )


def standing_at(model: Model, x: Floats | None) -> Standing:
    """What stands where by these counts; without any, what is held."""
    counts = by_option(model, model.lower if x is None else x)
    return standing(model.problem, model.options, counts)


def answer_of(  # noqa: PLR0917 - what was settled, and what was seen of it
    model: Model,
    solver: Solver,
    settled: Settled,
    meter: Meter,
    place: Standing,
    unkept: tuple[Unkept, ...],
    *,
    last: Plan | None,
) -> Plan:
    """The answer. `last` is the plan that it was made from, if it was."""
    x = settled.money.x if settled.money.x is not None else rounded(model, model.lower)
    gap = gap_of(settled.money.value, settled.money.bound)
    served = served_of(model, x)
    prices = prices_of(solver, with_intervals=last is None)
    return Plan(
        status=_status(gap, meter),
        gap=gap,
        stages=settled.results,
        replicas=_assigned(model, place, jobs=False),
        jobs=_assigned(model, place, jobs=True),
        moves=moves_of(model.problem, place),
        prices=prices,
        unmet=unmet_of(place, by_work(model.parts)),
        shares=tuple(
            Share(
                tenant=name,
                guaranteed=settled.guaranteed.get(name, 0.0),
                level=settled.levels.get(name, 0.0),
                served=served[name],
            )
            for name, _ in model.rows.floors
        ),
        unkept=unkept,
        work_used=meter.used,
        warm=_warm(model, settled, last),
    )


def _status(gap: float, meter: Meter) -> Status:
    if gap <= OPTIMAL_GAP:
        return Status.OPTIMAL
    return Status.GAP if gap <= meter.budget.gap else Status.CUT_SHORT


def _warm(model: Model, settled: Settled, last: Plan | None) -> Warm | None:
    if last is not None and last.warm is not None:
        return last.warm
    duals = settled.money.duals
    if duals is None:
        return None
    origin = {(each.work, each.way, each.pool): each.count for each in model.problem.running}
    named = {name: float(duals[row]) for row, name in enumerate(model.rows.names) if duals[row]}
    return Warm(
        duals=named,
        scale=model.scale,
        floors=dict(settled.floors),
        fingerprint=fingerprint(model.problem),
        origin=origin,
    )


def _assigned(model: Model, place: Standing, *, jobs: bool) -> tuple[Assigned, ...]:
    services = len(model.problem.services)
    return tuple(
        Assigned(
            work=model.problem.works[option.work].name,
            way=option.way.name,
            pool=model.problem.pools[option.pool].name,
            count=count,
            devices=option.gang.devices,
        )
        for option, count in place.counts.items()
        if (option.work >= services) is jobs
    )


def moves_of(problem: Problem, place: Standing) -> tuple[Move, ...]:
    """The difference between what is to stand and what runs."""
    wanted = {
        (problem.works[option.work].name, option.way.name, problem.pools[option.pool].name): count
        for option, count in place.counts.items()
    }
    runs = {(each.work, each.way, each.pool): each.count for each in problem.running}
    keys = sorted(wanted.keys() | runs.keys())
    return tuple(
        Move(work=work, way=way, pool=pool, change=change)
        for work, way, pool in keys
        if (change := wanted.get((work, way, pool), 0) - runs.get((work, way, pool), 0))
    )
