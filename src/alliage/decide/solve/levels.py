"""The first two stages: what guarantees give each tenant, then how far everybody's further demand can be served.

Both end in a floor a tenant: so much of its work is served in whatever comes after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alliage.decide.solve.answer import Stage, StageResult
from alliage.decide.solve.counts import rounded, served_of
from alliage.decide.solve.highs import Found, Solver, search
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats, covering
from alliage.decide.solve.setting import Setting, neutral, with_floors

GUARANTEE_TOLERANCE: Final = 1e-6
SHARE_TOLERANCE: Final = 0.01
SETTLED: Final = 1e-6
"""Levels closer than this are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guaranteed:
    """What guarantees alone give each tenant (part of its work), by whole counts `x`."""

    served: Mapping[str, float]
    x: Floats
    results: tuple[StageResult, ...]


def settle_guarantees(model: Model, meter: Meter, *, is_large: bool) -> Guaranteed:
    """Tier by tier, the most of its own work that each tenant's guaranteed devices can do, all at once.

    Nobody else's work stands in the way but what is held. Of large problems tenant by tenant (in the order of their
    names within a tier) instead of a tier at a time: the same unless more is guaranteed than is there.
    """
    tenants = [tenant for tenant in model.problem.tenants if tenant.guarantees]
    x = rounded(model, model.lower)
    floors: dict[str, float] = {}
    results: list[StageResult] = []
    for tier in sorted({tenant.tier for tenant in tenants}):
        names = sorted(tenant.name for tenant in tenants if tenant.tier == tier)
        value = bound = 0.0
        is_cut = False
        for together in [[name] for name in names] if is_large else [names]:
            setting = _guarantee_setting(model, together, floors, x if is_large else None)
            gap = meter.budget.gap if is_large else 0.0
            found = search(model, setting, meter, gap=gap, start=None, share=0.1)
            bound -= found.bound if np.isfinite(found.bound) else -float(len(together))
            is_cut = is_cut or not found.is_done
            if found.x is not None:
                x = rounded(model, np.maximum(found.x, x) if is_large else found.x)
            served = served_of(model, x)
            value += sum(served.get(name, 0.0) for name in together)
            floors |= {name: served[name] for name in together if name in served}
        results.append(
            StageResult(
                stage=Stage.GUARANTEE,
                tier=tier,
                value=value,
                bound=max(value, bound),
                tolerance=GUARANTEE_TOLERANCE,
                is_cut_short=is_cut,
            )
        )
    return Guaranteed(served=floors, x=x, results=tuple(results))


def _guarantee_setting(
    model: Model, names: Sequence[str], floors: Mapping[str, float], stands: Floats | None
) -> Setting:
    """Only work of `names`, and of those who have floors already, on devices that their guarantees cover.

    With `stands` (whole counts of those before) nothing of that is changed, and only `names` get more.
    """
    problem = model.problem
    tenants = {tenant.name: tenant for tenant in problem.tenants}
    allowed = set(names) if stands is not None else {*names, *floors}
    start = neutral(model)
    upper, lower = start.upper.copy(), start.lower.copy()
    covered: dict[tuple[str, int], bool] = {}
    for column, index in enumerate(model.option_of):
        option = model.options[index]
        name = problem.works[option.work].tenant
        key = (name, option.pool)
        if key not in covered:
            covered[key] = name in allowed and bool(covering(tenants[name], problem.pools[option.pool]))
        if stands is not None and (name not in allowed or not covered[key]):
            lower[column] = upper[column] = stands[column]
        elif not covered[key]:
            upper[column] = lower[column]
    row_upper = start.row_upper.copy()
    for row, given in model.rows.guarantees:
        row_upper[row] = given
    cost = np.zeros(len(start.cost))
    for place, part in enumerate(model.parts):
        if part.tenant in names:
            cost[model.choices + place] = -model.weights[place]
    setting = replace(start, lower=lower, upper=upper, row_upper=row_upper, cost=cost)
    return setting if stands is not None else with_floors(setting, model, loosened(floors))


def loosened(floors: Mapping[str, float]) -> dict[str, float]:
    """Floors less the tolerance of the guarantee stage."""
    return {name: floor - GUARANTEE_TOLERANCE for name, floor in floors.items()}


def fair_levels(solver: Solver, guaranteed: Mapping[str, float]) -> dict[str, float]:
    """Weighted max-min levels of the divisible problem: the part of its work each tenant has served, at least.

    Beyond its guarantee a tenant of weight 2 rises twice as fast as one of weight 1. All rise together until some
    cannot; these stay, the others go on.
    """
    model = solver.model
    names = [name for name, _ in model.rows.floors]
    tenants = {tenant.name: tenant for tenant in model.problem.tenants}
    base = {name: guaranteed.get(name, 0.0) for name in names}
    heaviest = max((tenants[name].weight for name in names), default=1.0)
    speed = {name: (1.0 - base[name]) * tenants[name].weight / heaviest for name in names}
    rising = [name for name in names if speed[name] > SETTLED]
    levels = dict(base)
    while rising:
        setting = share_setting(
            model, {**base, **{name: levels[name] for name in names if name not in rising}}, speed, rising
        )
        relaxed = solver.relax(setting)
        if relaxed is None:
            return levels
        height = float(relaxed.x[model.theta])
        stopped = _stopped(model, relaxed.duals, rising)
        for name in rising:
            levels[name] = min(1.0, base[name] + speed[name] * height)
        full = {name for name in rising if levels[name] >= 1.0 - SETTLED}
        left = [name for name in rising if name not in full and name not in stopped]
        rising = left if len(left) < len(rising) else []
    return levels


def _stopped(model: Model, duals: Floats, rising: Sequence[str]) -> set[str]:
    """Tenants that hold the level down: their floor rows have a price."""
    return {name for name, row in model.rows.floors if name in rising and abs(duals[row]) > 1e-9}


def share_setting(
    model: Model, base: Mapping[str, float], speed: Mapping[str, float], rising: Sequence[str]
) -> Setting:
    """Raise `theta` as far as it goes: each of `rising` has `base` and `speed` times it served, the others `base`."""
    start = neutral(model)
    cost = np.zeros(len(start.cost))
    cost[model.theta] = -1.0
    upper = start.upper.copy()
    upper[model.theta] = min((1.0 - base[name]) / speed[name] for name in rising)
    row_lower = start.row_lower.copy()
    theta = np.zeros(len(model.rows.floors))
    for place, (name, row) in enumerate(model.rows.floors):
        row_lower[row] = max(0.0, base.get(name, 0.0) - GUARANTEE_TOLERANCE)
        if name in rising:
            theta[place] = -speed[name]
    return replace(start, cost=cost, upper=upper, row_lower=row_lower, theta=theta)


def common_part(
    model: Model, meter: Meter, guaranteed: Mapping[str, float], levels: Mapping[str, float], start: Floats | None
) -> tuple[Found, StageResult]:
    """The largest part of the way from guarantee to level that whole gangs reach for every tenant at once."""
    speed = {name: levels[name] - guaranteed.get(name, 0.0) for name in levels}
    rising = [name for name in levels if speed[name] > SETTLED]
    if not rising:
        return Found(value=0.0, x=None, bound=-1.0, is_done=True, is_infeasible=False), _share_result(
            1.0, 1.0, cut=False
        )
    base = {name: guaranteed.get(name, 0.0) for name in levels}
    setting = share_setting(model, base, speed, rising)
    setting.upper[model.theta] = 1.0
    found = search(model, setting, meter, gap=0.0, start=start, share=0.2)
    part = _part_of(model, found, base, speed, rising)
    return found, _share_result(part, min(1.0, -found.bound), cut=not found.is_done)


def _part_of(
    model: Model, found: Found, base: Mapping[str, float], speed: Mapping[str, float], rising: Sequence[str]
) -> float:
    """Worked out again from whole counts."""
    if found.x is None:
        return 0.0
    whole = rounded(model, found.x)
    served = served_of(model, whole)
    return max(0.0, min(1.0, *((served[name] - base[name]) / speed[name] for name in rising)))


def _share_result(value: float, bound: float, *, cut: bool) -> StageResult:
    return StageResult(
        stage=Stage.SHARE, tier=0, value=value, bound=max(value, bound), tolerance=SHARE_TOLERANCE, is_cut_short=cut
    )


def floors_at(part: float, guaranteed: Mapping[str, float], levels: Mapping[str, float]) -> dict[str, float]:
    """What each tenant has served at least when the common part is `part`, less the stages' tolerances."""
    floors = {}
    for name, level in levels.items():
        base = guaranteed.get(name, 0.0)
        further = max(0.0, level - base) * part * (1.0 - SHARE_TOLERANCE)
        floors[name] = max(0.0, base + further - GUARANTEE_TOLERANCE)
    return floors
