"""Guarantees that an outcome would break are turned into rows: so many devices of the group are the tenant's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alliage.decide.solve.breaches import examine
from alliage.decide.solve.counts import activity
from alliage.decide.solve.model import Model
from alliage.decide.solve.parts import by_work
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.standing import Standing

MOVED: Final = 24
"""Works of others, those with the fewest devices first, that may have to move for guarantees in a large problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Guarantee rows and the least of devices in them; works that may have to move for the newest of these."""

    rows: Mapping[int, float]
    works: frozenset[int] = frozenset()


def keep_guarantees(model: Model, x: Floats, place: Standing, kept: Kept) -> Kept | None:
    """More rows to keep, from what guarantees alone gave (`x`); None where nothing is broken or nothing helps."""
    breaches, _ = examine(place, by_work(model.parts))
    names = {breach.tenant for breach in breaches}
    if not names:
        return None
    alone = x.copy()
    alone[model.choices :] = 0.0
    given = activity(model, alone)
    more = dict(kept.rows)
    for row, _ in model.rows.guarantees:
        tenant = model.rows.names[row].split("/")[1]
        if tenant in names:
            more[row] = max(more.get(row, 0.0), float(given[row]))
    if more == dict(kept.rows):
        return None
    pools = {breach.pool for breach in breaches}
    size: dict[int, int] = {}
    for option, count in place.counts.items():
        if model.problem.pools[option.pool].name in pools:
            size[option.work] = size.get(option.work, 0) + option.gang.devices * count
    works = set(sorted(size, key=lambda work: (size[work], work))[:MOVED])
    missing = {index for index, work in enumerate(model.problem.works) if work.tenant in names}
    return Kept(rows=more, works=frozenset(works | missing))


def kept_rows(model: Model, kept: Kept) -> Model:
    """The model with these rows as limits from below."""
    lower = model.rows.lower.copy()
    for row, least in kept.rows.items():
        lower[row] = np.round(least)
    return replace(model, rows=replace(model.rows, lower=lower))
