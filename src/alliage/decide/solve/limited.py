"""The knapsacks of `knapsacks.py` for services whose options are limited so that the limits bind: each option up to it.

An option that may be had k times is had as 1, 2, 4, ... replicas at once, each of these or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alliage.decide.solve.linking import Linked
from alliage.decide.solve.model import Model
from alliage.decide.solve.problem import ServiceAsk
from alliage.decide.solve.rows import Floats, Ints

GRID: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """Of each service the least that it can add, and the choice columns of that with their counts."""

    best: Floats
    counts: tuple[dict[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Items:
    """(service, item), padded: a column so many times."""

    columns: Ints
    times: Ints
    costs: Floats
    parts: Ints


def cover_limited(model: Model, linked: Linked, reduced: Floats, works: Sequence[int], *, up: bool) -> Limited:
    """At least so many replicas that serve at least so much, the cheapest; `up` and `each` as in `cover`."""
    items = _items_of(model, linked, reduced, works, up=up)
    wanted = np.array([_least(model, work) for work in works])
    levels, services = 1 + int(wanted.max(initial=0)), len(works)
    costs = np.full((levels, services, GRID + 1), np.inf)
    costs[0, :, 0] = 0.0
    taken = np.zeros((items.costs.shape[1], levels, services, GRID + 1), dtype=bool)
    for item in range(items.costs.shape[1]):
        after = _with(costs, items, item)
        taken[item] = after < costs
        np.minimum(costs, after, out=costs)
    demand, replicas = _worths(linked, reduced, works)
    net = costs - demand[None, :, None] * (np.arange(GRID + 1) / GRID)
    for level in range(levels):
        net[level] -= (replicas * np.minimum(1.0, level / np.maximum(wanted, 1)))[:, None]
    counts = tuple(_read(items, taken, net[:, place, :], place) for place in range(services))
    return Limited(best=np.asarray(net.min(axis=(0, 2))), counts=counts)


def _least(model: Model, work: int) -> int:
    ask = model.problem.works[work]
    return ask.min_replicas if isinstance(ask, ServiceAsk) else 0


def _worths(linked: Linked, reduced: Floats, works: Sequence[int]) -> tuple[Floats, Floats]:
    """What serving all of the demand, and the least number of replicas, is worth at these prices."""
    services = np.array(works, dtype=np.int64)
    demand, least = linked.demand[services], linked.least[services]
    return (
        np.where(demand >= 0, np.maximum(0.0, -reduced[demand]), 0.0),
        np.where(least >= 0, np.maximum(0.0, -reduced[least]), 0.0),
    )


def _items_of(model: Model, linked: Linked, reduced: Floats, works: Sequence[int], *, up: bool) -> _Items:
    found: list[list[tuple[int, int]]] = [_items(model, linked, reduced, work) for work in works]
    shape = (len(works), max(1, *(len(each) for each in found)))
    columns, times = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    for place, each in enumerate(found):
        for number, (column, count) in enumerate(each):
            columns[place, number], times[place, number] = column, count
    exact = linked.steps[columns] * times * GRID
    parts = np.ceil(exact - 1e-9) if up else np.floor(exact + 1e-9)
    costs = np.where(times > 0, np.maximum(reduced[columns], 0.0) * times, np.inf)
    return _Items(columns=columns, times=times, costs=costs, parts=np.minimum(parts, GRID).astype(np.int32))


def _items(model: Model, linked: Linked, reduced: Floats, work: int) -> list[tuple[int, int]]:
    """(column, how many), without columns for which as many as are of use are had of others that beat it."""
    columns = np.arange(linked.first[work], linked.first[work + 1])
    steps, most = linked.steps[columns], model.upper[columns]
    costs = np.maximum(reduced[columns], 0.0)
    items: list[tuple[int, int]] = []
    kept: list[tuple[float, float]] = []
    for place in np.lexsort((-steps, costs)).tolist():
        step = float(steps[place])
        enough = max(_least(model, work), int(np.ceil(1.0 / max(step, 1e-9))))
        if most[place] < 1 or sum(count for each, count in kept if each >= step) >= enough:
            continue
        kept.append((step, float(most[place])))
        left, times = int(min(most[place], enough)), 1
        while left:
            items.append((int(columns[place]), min(times, left)))
            left -= min(times, left)
            times *= 2
    return items


def _with(costs: Floats, items: _Items, item: int) -> Floats:
    """What everything costs with this item taken."""
    levels = np.arange(len(costs))[:, None]
    before = np.maximum(levels - items.times[:, item], 0)
    at = np.maximum(np.arange(GRID + 1) - items.parts[:, item, None], 0)
    services = np.arange(costs.shape[1])
    rest = costs[before[:, :, None], services[None, :, None], at[None, :, :]]
    return np.asarray(rest + items.costs[:, item, None])


def _read(items: _Items, taken: NDArray[np.bool_], net: Floats, place: int) -> dict[int, int]:
    level, at = (int(each) for each in np.unravel_index(int(net.argmin()), net.shape))
    counts: dict[int, int] = {}
    for item in reversed(range(len(taken))):
        if taken[item, level, place, at]:
            column, times = int(items.columns[place, item]), int(items.times[place, item])
            counts[column] = counts.get(column, 0) + times
            level, at = max(level - times, 0), max(at - int(items.parts[place, item]), 0)
    return counts
