"""A model without the columns that a setting fixes: what a solver is given, so that it has less to look through."""

from dataclasses import dataclass

import numpy as np

from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats, Ints
from alliage.decide.solve.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """A model without the columns that a setting fixes; `columns` are those that are left."""

    columns: Ints
    starts: Ints
    rows_at: Ints
    values: Floats
    setting: Setting


def without_fixed(model: Model, setting: Setting) -> Small:
    """Fixed columns go to the right-hand side, rows without entries are dropped (they hold, or the caller is wrong)."""
    values, column_of = values_of(model, setting), model.column_of
    free = setting.upper > setting.lower
    fixed = np.where(free, 0.0, setting.lower)
    rows = len(setting.row_lower)
    taken = np.bincount(model.rows_at, weights=values * fixed[column_of], minlength=rows)
    kept = free[column_of] & (values != 0.0)
    at, column, value = model.rows_at[kept], column_of[kept], values[kept]
    used = np.bincount(at, minlength=rows) > 0
    columns = np.flatnonzero(free).astype(np.int32)
    new_row = np.cumsum(used) - 1
    counts = np.bincount(column, minlength=len(free))[columns]
    small = Setting(
        cost=setting.cost[columns],
        offset=setting.offset + float(setting.cost @ fixed),
        lower=setting.lower[columns],
        upper=setting.upper[columns],
        row_lower=(setting.row_lower - taken)[used],
        row_upper=(setting.row_upper - taken)[used],
        theta=setting.theta,
    )
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    return Small(columns=columns, starts=starts, rows_at=new_row[at].astype(np.int32), values=value, setting=small)


def values_of(model: Model, setting: Setting) -> Floats:
    """The matrix's entries with those of `theta`: the last ones, in the order of the floor rows."""
    values = model.values.copy()
    if model.rows.floors:
        values[-len(model.rows.floors) :] = setting.theta
    return values
