"""The last stage: devices, cold starts and unserved demand in money, within the floors of the stages before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alliage.decide.solve.combine import combine
from alliage.decide.solve.counts import cost_of, holds, now_running, rounded
from alliage.decide.solve.highs import Solver, search
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.setting import Setting, neutral, with_floors
from alliage.decide.solve.whole import gap_of

KEEP: Final = 1e-6
"""What runs stays unless another plan is better by more than this part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Whole counts (None: none found), what they cost and what no plan can be below, over the model's scale."""

    x: Floats | None
    value: float
    bound: float
    duals: Floats | None
    """Of the linear programme's rows."""


def money_setting(model: Model, floors: Mapping[str, float]) -> Setting:
    """The money stage."""
    setting = replace(neutral(model), cost=model.money, offset=model.worth)
    return with_floors(setting, model, dict(floors))


def settle_money(model: Model, solver: Solver, floors: Mapping[str, float], meter: Meter, *, is_large: bool) -> Money:
    """The cheapest plan within the floors; what runs now is kept where nothing is better."""
    setting = money_setting(model, floors)
    relaxed = solver.relax(setting)
    running = now_running(model)
    start = running if holds(model, running, setting) else None
    if is_large and relaxed is not None:
        combined = combine(model, setting, relaxed, meter, start=start)
        return Money(x=combined.x, value=combined.value, bound=combined.bound, duals=combined.duals)
    bound = relaxed.value if relaxed is not None else float("-inf")
    found = search(model, setting, meter, gap=0.0, start=start, share=0.1 if is_large else 0.5)
    whole = None if found.x is None else rounded(model, found.x)
    bound = max(bound, found.bound if np.isfinite(found.bound) else bound)
    value = float("inf") if whole is None else cost_of(whole, setting)
    if start is not None and cost_of(start, setting) <= value + KEEP * max(1.0, abs(value)):
        whole, value = start, cost_of(start, setting)
    return Money(x=whole, value=value, bound=min(bound, value), duals=None if relaxed is None else relaxed.duals)


__all__ = ["Money", "gap_of", "money_setting", "settle_money"]
