"""Covering knapsacks, many at once: the cheapest whole replicas that serve so much of each service at given prices.

Each is solved on a grid of parts of the demand, fine enough that the smallest replica counts for many parts; services
of one grid are solved together, a block of the grid at a time. A replica's parts rounded up prove a bound; rounded
down, what comes out really serves as much as it says.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from alliage.decide.solve.linking import Linked
from alliage.decide.solve.model import Model
from alliage.decide.solve.problem import ServiceAsk
from alliage.decide.solve.rows import Floats, Ints

PARTS_LEAST: Final = 64
"""Parts that the smallest replica counts for, as far as the grids go."""
GRIDS: Final = (256, 512, 1024, 2048, 4096, 8192)
BLOCK: Final = 16
"""No replica counts for fewer parts: a smaller one is reckoned as large for a bound, and left out where it must serve."""
TOGETHER: Final = 128
"""Services of one table at most."""
ENTRIES: Final = 2**18
"""Sums that are formed at once; more would leave the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Services of one grid with their options, padded: (service, option)."""

    works: tuple[int, ...]
    grid: int
    columns: Ints
    """The choice column of each option, -1 for none."""
    costs: Floats
    """At least 0; infinite for none."""
    steps: Floats
    demand: Floats
    """What serving all of the demand is worth at these prices."""
    replicas: Floats
    """What the least number of replicas is worth."""
    wanted: Ints
    """The least number of replicas."""

    def parts(self, *, up: bool) -> Ints:
        """What a replica of each option counts for."""
        if up:
            return _parts(self.steps, self.grid)
        return np.minimum(np.floor(self.steps * self.grid + 1e-9), self.grid).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """(replicas, service, parts): the least cost of at least so many replicas that serve at least so many parts."""

    table: Table
    costs: Floats
    parts: Ints
    least: Floats
    net: Floats
    """Cost less what is served; everything's worth is added elsewhere."""

    @property
    def best(self) -> Floats:
        """The least that each service can add."""
        return np.asarray(self.net.min(axis=(0, 2)))


def tables(
    model: Model, linked: Linked, reduced: Floats, works: Sequence[int], *, is_coarse: bool = False
) -> list[Table]:
    """Tables of these works at these prices, without options that cost no less than one that serves as much.

    With `is_coarse` the grids are only as fine as they have to be for every option, left out or not.
    """
    costs = np.maximum(reduced[: model.choices], 0.0)
    grouped: dict[int, dict[int, list[int]]] = {}
    for work in works:
        row = _unbeaten(costs, linked, work)
        counted = linked.steps[linked.first[work] : linked.first[work + 1]] if is_coarse else linked.steps[row]
        least = float(min(counted[counted > 0], default=1.0))
        parts = BLOCK if is_coarse else PARTS_LEAST
        fine = next((each for each in GRIDS if each * least >= parts), GRIDS[-1])
        grouped.setdefault(fine, {})[work] = row
    return [
        _table(model, linked, reduced, costs, fine, dict(rows))
        for fine, every in sorted(grouped.items())
        for rows in _batched(every.items())
    ]


def _batched(rows: Iterable[tuple[int, list[int]]]) -> Iterator[list[tuple[int, list[int]]]]:
    """A few services at a time: their tables are in memory together."""
    left = iter(rows)
    while some := list(islice(left, TOGETHER)):
        yield some


def _unbeaten(costs: Floats, linked: Linked, work: int) -> list[int]:
    """Its columns by cost, each serving more than all before it: the cheapest is there even if it serves nothing, for it is a replica."""
    start, stop = int(linked.first[work]), int(linked.first[work + 1])
    steps = linked.steps[start:stop]
    order = np.lexsort((-steps, costs[start:stop]))
    ordered = steps[order]
    before = np.concatenate(([-1.0], np.maximum.accumulate(ordered)[:-1]))
    return [start + place for place in order[ordered > before].tolist()]


def _table(  # noqa: PLR0917 - what a table is made of
    model: Model, linked: Linked, reduced: Floats, costs: Floats, grid: int, rows: dict[int, list[int]]
) -> Table:
    works = tuple(rows)
    services = np.array(works, dtype=np.int64)
    columns = np.full((len(works), max(1, *(len(row) for row in rows.values()))), -1, dtype=np.int32)
    for place, row in enumerate(rows.values()):
        columns[place, : len(row)] = row
    demand, replicas = linked.demand[services], linked.least[services]
    asks = [model.problem.works[work] for work in works]
    return Table(
        works=works,
        grid=grid,
        columns=columns,
        costs=np.where(columns >= 0, costs[columns], np.inf),
        steps=np.where(columns >= 0, linked.steps[columns], 1.0),
        demand=np.where(demand >= 0, np.maximum(0.0, -reduced[demand]), 0.0),
        replicas=np.where(replicas >= 0, np.maximum(0.0, -reduced[replicas]), 0.0),
        wanted=np.array([ask.min_replicas if isinstance(ask, ServiceAsk) else 0 for ask in asks], dtype=np.int32),
    )


def cover(table: Table, *, up: bool) -> Covered:
    """Every service's knapsack, filled."""
    parts = table.parts(up=up)
    costs = np.where(parts < BLOCK, np.inf, table.costs)
    parts = np.maximum(parts, BLOCK)
    services, levels = len(costs), 1 + int(table.wanted.max(initial=0))
    least = np.full((max(2, levels), services, table.grid + 1), np.inf)
    least[0, :, 0] = 0.0
    everyone = np.arange(services, dtype=np.int32)
    _pass(costs, parts, least[0], least[0], everyone, 1, int(parts.min()))
    least[1, :, 1:] = least[0, :, 1:]
    least[1, :, 0] = costs.min(axis=1)
    for level in range(2, levels):
        more = np.flatnonzero(table.wanted >= level).astype(np.int32)
        _pass(costs[more], parts[more], least[level - 1], least[level], more, 0, table.grid + 1)
    return Covered(table=table, costs=costs, parts=parts, least=least, net=_net(table, least))


def _pass(  # noqa: PLR0917 - from where to where
    costs: Floats, parts: Ints, before: Floats, after: Floats, services: Ints, start: int, block: int
) -> None:
    """One replica more than `before`, for each part of the grid from `start`; the two may be one, a block at a time."""
    grid = after.shape[1] - 1
    block = max(1, min(block, ENTRIES // costs.size))
    flat, first = before.reshape(-1), (services * (grid + 1))[:, None, None]
    for begin in range(start, grid + 1, block):
        parts_here = np.arange(begin, min(begin + block, grid + 1), dtype=np.int32)
        at = np.maximum(parts_here - parts[:, :, None], 0) + first
        sums = flat.take(at, mode="clip")
        sums += costs[:, :, None]
        after[services, begin : begin + block] = sums.min(axis=1)


def _net(table: Table, least: Floats) -> Floats:
    net = least - table.demand[None, :, None] * (np.arange(table.grid + 1) / table.grid)
    for level in range(len(least)):
        net[level] -= (table.replicas * np.minimum(1.0, level / np.maximum(table.wanted, 1)))[:, None]
        net[level, level > np.maximum(table.wanted, 1)] = np.inf
    return net


def read(covered: Covered, place: int) -> dict[int, int]:
    """The columns of one service's best bundle with their counts, walked back from its end."""
    net = covered.net[:, place, :]
    level, at = (int(each) for each in np.unravel_index(int(net.argmin()), net.shape))
    found: dict[int, int] = {}
    while level > 0 or at > 0:
        level = max(level - 1, 0)
        before = np.maximum(at - covered.parts[place], 0)
        option = int((covered.costs[place] + covered.least[level, place, before]).argmin())
        column = int(covered.table.columns[place, option])
        found[column] = found.get(column, 0) + 1
        at = int(before[option])
    return found


def extra(covered: Covered, columns: Sequence[Ints], costs: Floats, steps: Floats) -> Iterator[Floats]:
    """Of each service (its `columns`, whose costs and steps these are): how much dearer the best bundle with that column in it is.

    For every number of parts the least that bundles up to it can add is formed once; a column with p parts leaves the
    grid less p to the others.
    """
    table = covered.table
    others = covered.least[np.maximum(table.wanted - 1, 0), np.arange(len(table.works))]
    worth = table.demand[:, None] * (np.arange(table.grid + 1) / table.grid)
    rest = np.minimum.accumulate(others - worth, axis=1)
    for place, (mine, best) in enumerate(zip(columns, covered.best, strict=True)):
        parts = _parts(steps[mine], table.grid)
        with_it = costs[mine] + rest[place, table.grid - parts] - worth[place, parts]
        yield np.asarray(with_it - (table.replicas[place] + best))


def _parts(steps: Floats, grid: int) -> Ints:
    """What replicas that serve so much count for, rounded up."""
    return np.clip(np.ceil(steps * grid - 1e-9), BLOCK, grid).astype(np.int32)
