"""The rows that bind services together, which prices stand in for; and what a column costs at such prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from alliage.decide.solve.model import Model
from alliage.decide.solve.parts import PartKind
from alliage.decide.solve.problem import JobAsk, Spread
from alliage.decide.solve.rows import Floats, Ints
from alliage.decide.solve.setting import Setting

LEAST_MAX: Final = 3
"""The knapsack counts least numbers of replicas up to this; services that want more are left to the programme."""
FINE: Final = 1.0 / 64
"""A service whose largest replica serves less than this part of it is left to the linear programme: it hardly rounds."""
LINKING: Final = ("devices/", "budget/", "floor/", "guarantee/")
"""All other rows concern one service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The linking rows of a model: which they are, their entries, and where the columns of each work are."""

    rows: Ints
    matrix: Mapping[int, tuple[Ints, Floats]]
    """Column -> (position in `rows`, value)."""
    place_of: Ints
    """Position in `rows` of each row of the model, -1 for the others."""
    works: Ints
    """The work of each choice column, in order."""
    steps: Floats
    """The step of each choice column."""
    first: Ints
    """The first choice column of each work, and behind them how many there are."""
    demand: Ints
    """Column of the demand part of each work, -1 for none."""
    least: Ints
    """Column of the part for its least replicas, -1 for none."""
    bundled: tuple[int, ...]
    """Works whose replicas are chosen all at once."""


def link(model: Model) -> Linked:
    """What of a model the price method needs."""
    rows = np.array([row for row, name in enumerate(model.rows.names) if name.startswith(LINKING)], dtype=np.int32)
    place_of = np.full(len(model.rows.names), -1, dtype=np.int32)
    place_of[rows] = np.arange(len(rows), dtype=np.int32)
    matrix: dict[int, tuple[Ints, Floats]] = {}
    places = place_of[model.rows_at]
    for column in range(model.theta):
        here = slice(model.starts[column], model.starts[column + 1])
        kept = places[here] >= 0
        matrix[column] = (places[here][kept], model.values[here][kept])
    works = np.array([option.work for option in model.options], dtype=np.int32)
    steps = np.array([option.step for option in model.options])
    works = works[model.option_of] if len(works) else works
    demand = np.full(len(model.problem.works), -1, dtype=np.int32)
    least = demand.copy()
    for place, part in enumerate(model.parts):
        (demand if part.kind is PartKind.DEMAND else least)[part.work] = model.choices + place
    return Linked(
        rows=rows,
        matrix=matrix,
        place_of=place_of,
        works=works,
        steps=steps[model.option_of] if len(steps) else steps,
        first=np.searchsorted(works, np.arange(len(model.problem.works) + 1)).astype(np.int32),
        demand=demand,
        least=least,
        bundled=_bundled(model),
    )


def _bundled(model: Model) -> tuple[int, ...]:
    """Services whose replicas are few, without a rule that no knapsack knows."""
    largest: dict[int, float] = {}
    others: set[int] = set()
    for option in model.options:
        largest[option.work] = max(largest.get(option.work, 0.0), option.step)
        ask = model.problem.works[option.work]
        if isinstance(ask, JobAsk) or ask.min_replicas > LEAST_MAX or ask.spread is Spread.SITES or option.held:
            others.add(option.work)
    return tuple(work for work, step in sorted(largest.items()) if step >= FINE and work not in others)


def signed(setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """Without the solver's tolerance: a limit from above has a price of 0 or less, a floor one of 0 or more.

    A row without that limit has none, else the bound would prove nothing.
    """
    below = np.where(np.isfinite(setting.row_upper[linked.rows]), np.minimum(duals, 0.0), 0.0)
    return below + np.where(np.isfinite(setting.row_lower[linked.rows]), np.maximum(duals, 0.0), 0.0)


def limits(setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """The side of each linking row that its price is paid for."""
    found = np.where(duals > 0, setting.row_lower[linked.rows], setting.row_upper[linked.rows])
    return np.where((duals == 0) | ~np.isfinite(found), 0.0, found)


def reduced_by(model: Model, setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """Money of each column at these prices."""
    weights = np.zeros(len(model.rows.names))
    weights[linked.rows] = duals
    paid = np.bincount(model.column_of, weights=model.values * weights[model.rows_at], minlength=len(model.lower))
    return np.asarray(setting.cost - paid)


def regrets(  # noqa: PLR0917 - the prices, what they prove, and the counts
    model: Model, setting: Setting, linked: Linked, duals: Floats, each: Floats, x: Floats
) -> Floats:
    """How much dearer each work's counts are, at these prices, than the least that it could add (`each`)."""
    reduced = reduced_by(model, setting, linked, signed(setting, linked, duals))
    paid = np.bincount(linked.works, weights=reduced[: model.choices] * x[: model.choices], minlength=len(each)).astype(
        np.float64
    )
    for place, part in enumerate(model.parts):
        column = model.choices + place
        paid[part.work] += reduced[column] * x[column]
    return np.asarray(paid - each)
