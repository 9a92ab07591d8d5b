"""From a solver's columns to whole counts and back: what is served by them, what they cost, whether they hold."""

import numpy as np

from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.setting import Setting

SLACK = 1e-6
"""A row may be exceeded by so much of its size: a solver's own tolerance, far below one device or one replica."""


def rounded(model: Model, x: Floats) -> Floats:
    """Whole counts, with what they serve of each part worked out again from them."""
    whole = x.copy()
    whole[: model.choices] = np.round(x[: model.choices])
    whole[model.choices : model.theta] = fractions(model, whole)
    return whole


def fractions(model: Model, x: Floats) -> Floats:
    """How much of each part the counts serve, 0 to 1."""
    alone = x.copy()
    alone[model.choices :] = 0.0
    first = model.rows.first_part
    served = -activity(model, alone)[first : first + len(model.parts)]
    return np.clip(served, 0.0, model.upper[model.choices : model.theta])


def activity(model: Model, x: Floats) -> Floats:
    """What each row adds up to, without `theta`."""
    column_of = model.column_of
    weights = np.where(column_of == model.theta, 0.0, model.values * x[column_of])
    return np.bincount(model.rows_at, weights=weights, minlength=len(model.rows.names)).astype(np.float64)


def served_of(model: Model, x: Floats) -> dict[str, float]:
    """Of each tenant's work, the part that is served."""
    part = model.weights * x[model.choices : model.theta]
    served: dict[str, float] = {name: 0.0 for name, _ in model.rows.floors}
    for index, each in enumerate(model.parts):
        if each.tenant in served:
            served[each.tenant] += float(part[index])
    return served


def holds(model: Model, x: Floats, setting: Setting) -> bool:
    """Whether these whole counts keep to every bound and row of the setting."""
    counts = x[: model.choices]
    if np.any(counts < setting.lower[: model.choices]) or np.any(counts > setting.upper[: model.choices]):
        return False
    sums = activity(model, x)
    slack = SLACK * (1.0 + np.abs(sums))
    return bool(np.all(sums <= setting.row_upper + slack) and np.all(sums >= setting.row_lower - slack))


def cost_of(x: Floats, setting: Setting) -> float:
    """The setting's objective."""
    return float(setting.cost @ x) + setting.offset


def now_running(model: Model) -> Floats:
    """What runs now, as far as it may stand where it stands."""
    x = np.zeros(len(model.lower))
    for column, option in enumerate(model.option_of):
        if not model.is_start[column]:
            x[column] = min(model.options[option].running, model.upper[column])
    return rounded(model, np.maximum(x, model.lower))


def by_option(model: Model, x: Floats) -> list[int]:
    """The count of each option."""
    return [
        int(count) for count in np.bincount(model.option_of, weights=x[: model.choices], minlength=len(model.options))
    ]
