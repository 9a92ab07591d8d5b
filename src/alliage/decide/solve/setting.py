"""What changes from one solve of a model to the next: costs, bounds and floors."""

from dataclasses import dataclass, replace

import numpy as np

from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What changes from one solve of a model to the next. `theta` is the entry of `theta` in each floor row."""

    cost: Floats
    offset: float
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    theta: Floats


def neutral(model: Model) -> Setting:
    """The bare model: nothing to gain, no floors, no limits from guarantees."""
    return Setting(
        cost=np.zeros(len(model.lower)),
        offset=0.0,
        lower=model.lower,
        upper=model.upper,
        row_lower=model.rows.lower,
        row_upper=model.rows.upper,
        theta=np.zeros(len(model.rows.floors)),
    )


def with_floors(setting: Setting, model: Model, floors: dict[str, float]) -> Setting:
    """The setting in which each tenant named has at least so much of its work served."""
    lower = setting.row_lower.copy()
    for tenant, row in model.rows.floors:
        if floors.get(tenant, 0.0) > 0:
            lower[row] = floors[tenant]
    return replace(setting, row_lower=lower)
