"""Bundles: all replicas of one service chosen at once, the cheapest at given prices; and the bound that this proves.

With devices, budgets and floors priced instead of limited every service decides alone, by a covering knapsack in whole
replicas. It is solved on a grid of `GRID` parts of the demand: rounded up, it proves a bound that is tighter than the
linear programme's (a third of a replica is not to be had); rounded down, it gives bundles that really cover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alliage.decide.solve.highs import Setting
from alliage.decide.solve.model import Floats, Ints, Model
from alliage.decide.solve.options import useful
from alliage.decide.solve.parts import PartKind
from alliage.decide.solve.problem import JobAsk, ServiceAsk, Spread

GRID: Final = 1024
LEAST_MAX: Final = 3
"""The knapsack counts least numbers of replicas up to this; services that want more are left to the programme."""
FINE: Final = 1.0 / 64
"""A service whose largest replica serves less than this part of it is left to the linear programme: it hardly rounds."""
LINKING: Final = ("devices/", "budget/", "floor/", "guarantee/")
"""The rows that bind services together; all others concern one."""

Bundle = tuple[tuple[int, int], ...]
"""(option, count), in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The linking rows of a model: which they are, their entries, and the limit that a price would be paid for."""

    rows: Ints
    matrix: Mapping[int, tuple[Ints, Floats]]
    """Column -> (position in `rows`, value)."""
    place_of: Ints
    """Position in `rows` of each row of the model, -1 for the others."""
    works: Ints
    """The work of each choice column."""
    steps: Floats
    """The step of each choice column."""
    demand: Ints
    """Column of the demand part of each work, -1 for none."""
    least: Ints
    """Column of the part for its least replicas, -1 for none."""
    bundled: tuple[int, ...]
    """Works that are bundled."""
    bounded: tuple[int, ...]
    """Works whose knapsack proves something: also those too large for one pool, whose bundles would be no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What prices prove and propose: a lower bound of the objective, and a bundle for each work of `bundled`."""

    bound: float
    bundles: tuple[Bundle, ...]
    each: Floats
    """Of each work, the least it adds to the objective at these prices (with `bound` only)."""


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
    demand = np.full(len(model.problem.works), -1, dtype=np.int32)
    least = demand.copy()
    for place, part in enumerate(model.parts):
        (demand if part.kind is PartKind.DEMAND else least)[part.work] = model.choices + place
    return Linked(
        rows=rows,
        matrix=matrix,
        place_of=place_of,
        works=works[model.option_of] if len(works) else works,
        steps=steps[model.option_of] if len(steps) else steps,
        demand=demand,
        least=least,
        bundled=_bundled(model, in_one_pool=True),
        bounded=_bundled(model, in_one_pool=False),
    )


def _bundled(model: Model, *, in_one_pool: bool) -> tuple[int, ...]:
    """Services whose replicas are few and, by any way, fit into one pool: the knapsack knows no such limits."""
    largest: dict[int, float] = {}
    others: set[int] = set()
    for option in model.options:
        largest[option.work] = max(largest.get(option.work, 0.0), option.step)
        ask = model.problem.works[option.work]
        if isinstance(ask, JobAsk) or ask.min_replicas > LEAST_MAX or ask.spread is Spread.SITES or option.held:
            others.add(option.work)
            continue
        if in_one_pool and option.limit < useful(ask, option.step):
            others.add(option.work)
    return tuple(work for work, step in sorted(largest.items()) if step >= FINE and work not in others)


def price(
    model: Model, setting: Setting, linked: Linked, duals: Floats, *, with_bound: bool, with_bundles: bool
) -> Priced:
    """The knapsacks at these prices (duals of the linking rows, as the solver signs them)."""
    duals = _signed(setting, linked, duals)
    reduced = reduced_by(model, setting, linked, duals)
    bound = float("-inf")
    bundles: tuple[Bundle, ...] = ()
    alone = np.zeros(0)
    if with_bound:
        alone = _alone(model, linked, reduced)
        services = np.array(linked.bounded, dtype=np.int64)
        if len(services):
            table = _table(model, linked, reduced, linked.bounded)
            best = np.min(_totals(table, _fill(table, table.ups, None)), axis=(0, 2))
            alone[services] = np.maximum(alone[services], best)
        bound = setting.offset + float(duals @ _limits(setting, linked, duals)) + float(alone.sum())
    if with_bundles and linked.bundled:
        table = _table(model, linked, reduced, linked.bundled)
        chosen = np.zeros((table.least + 1, len(linked.bundled), GRID + 1), dtype=np.int16)
        totals = _totals(table, _fill(table, table.downs, chosen))
        bundles = tuple(_read(model, table, chosen, totals, place) for place in range(len(linked.bundled)))
    return Priced(bound=bound, bundles=bundles, each=alone)


def _signed(setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """Without the solver's tolerance: a limit from above has a price of 0 or less, a floor one of 0 or more.

    A row without that limit has none, else the bound would prove nothing.
    """
    below = np.where(np.isfinite(setting.row_upper[linked.rows]), np.minimum(duals, 0.0), 0.0)
    return below + np.where(np.isfinite(setting.row_lower[linked.rows]), np.maximum(duals, 0.0), 0.0)


def _limits(setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """The side of each linking row that its price is paid for."""
    limits = np.where(duals > 0, setting.row_lower[linked.rows], setting.row_upper[linked.rows])
    return np.where((duals == 0) | ~np.isfinite(limits), 0.0, limits)


def reduced_by(model: Model, setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """Money of each column at these prices."""
    weights = np.zeros(len(model.rows.names))
    weights[linked.rows] = duals
    paid = np.bincount(model.column_of, weights=model.values * weights[model.rows_at], minlength=len(model.lower))
    return np.asarray(setting.cost - paid)


def regrets(  # noqa: PLR0917 - the prices, what they prove, and the counts
    model: Model, setting: Setting, linked: Linked, duals: Floats, each: Floats, x: Floats
) -> Floats:
    """How much dearer each work's counts are, at these prices, than the least that it could add."""
    reduced = reduced_by(model, setting, linked, _signed(setting, linked, duals))
    paid = np.bincount(linked.works, weights=reduced[: model.choices] * x[: model.choices], minlength=len(each)).astype(
        np.float64
    )
    for place, part in enumerate(model.parts):
        column = model.choices + place
        paid[part.work] += reduced[column] * x[column]
    return np.asarray(paid - each)


def _alone(model: Model, linked: Linked, reduced: Floats) -> Floats:
    """For each work the least it can add to the objective, replicas divisible: a bound that always holds."""
    works = len(model.problem.works)
    gain = np.zeros(works)
    choices = reduced[: model.choices]
    demand = np.where(linked.demand >= 0, -reduced[linked.demand], 0.0)
    ratio = np.full(works, np.inf)
    known = linked.steps > 0
    np.minimum.at(ratio, linked.works[known], choices[known] / linked.steps[known])
    gain -= np.maximum(0.0, demand - np.maximum(0.0, ratio))
    for work, column in enumerate(linked.least):
        if column >= 0:
            gain[work] += min(0.0, float(reduced[column]))
    negative = np.minimum(0.0, choices) * model.upper[: model.choices]
    np.add.at(gain, linked.works, negative)
    return gain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """For each bundled service its options that no other beats at these prices, padded: (service, option)."""

    costs: Floats
    ups: Ints
    """Parts of the grid that a replica serves, rounded up."""
    downs: Ints
    columns: Ints
    demand: Floats
    """What serving all of the demand is worth at these prices."""
    replicas: Floats
    """What the least number of replicas is worth."""
    wanted: Ints
    """The least number of replicas."""
    least: int
    """The largest of them that is counted."""


def _table(model: Model, linked: Linked, reduced: Floats, works: tuple[int, ...]) -> _Table:
    costs = np.maximum(reduced[: model.choices], 0.0)
    order = np.lexsort((-linked.steps, costs, linked.works))
    rows: dict[int, list[int]] = {work: [] for work in works}
    last, best = -1, -1.0
    for column in order.tolist():
        work = int(linked.works[column])
        if work != last:
            last, best = work, -1.0
        if work in rows and linked.steps[column] > best:
            best = float(linked.steps[column])
            rows[work].append(column)
    services = np.array(works, dtype=np.int64)
    width = max((len(row) for row in rows.values()), default=1) or 1
    columns = np.full((len(services), width), -1, dtype=np.int32)
    for place, work in enumerate(works):
        columns[place, : len(rows[work])] = rows[work]
    steps = np.where(columns >= 0, linked.steps[columns], 1.0)
    demand, replicas = linked.demand[services], linked.least[services]
    asks = [model.problem.works[work] for work in works]
    wanted = np.array([ask.min_replicas if isinstance(ask, ServiceAsk) else 0 for ask in asks], dtype=np.int32)
    return _Table(
        costs=np.where(columns >= 0, costs[columns], np.inf),
        ups=np.minimum(np.ceil(steps * GRID - 1e-9), GRID).astype(np.int32),
        downs=np.floor(steps * GRID + 1e-9).astype(np.int32),
        columns=columns,
        demand=np.where(demand >= 0, np.maximum(0.0, -reduced[demand]), 0.0),
        replicas=np.where(replicas >= 0, np.maximum(0.0, -reduced[replicas]), 0.0),
        wanted=wanted,
        least=min(LEAST_MAX, int(wanted.max(initial=0))),
    )


def _fill(table: _Table, parts: Ints, chosen: "np.ndarray[tuple[int, ...], np.dtype[np.int16]] | None") -> Floats:
    """The cheapest way to at least r replicas and q parts of the grid: (r, service, q); `chosen` gets the last option."""
    services, width = table.costs.shape
    costs = np.full((table.least + 1, services, GRID + 1), np.inf)
    costs[0, :, 0] = 0.0
    first = np.arange(services)[:, None] * (GRID + 1)
    everyone = np.arange(services)
    for grid in range(GRID + 1):
        before = (np.maximum(grid - parts, 0) + first).ravel()
        for least in range(table.least + 1):
            if grid == 0 and least == 0:
                continue
            total = table.costs + costs[max(least - 1, 0)].reshape(-1)[before].reshape(services, width)
            if chosen is None:
                costs[least, :, grid] = total.min(axis=1)
            else:
                best = total.argmin(axis=1)
                chosen[least, :, grid] = best
                costs[least, :, grid] = total[everyone, best]
    return costs


def _totals(table: _Table, costs: Floats) -> Floats:
    """Cost less what is served, for each (r, service, q); the worth of everything is added elsewhere."""
    served = np.arange(GRID + 1) / GRID
    totals = costs - table.demand[None, :, None] * served[None, None, :]
    for least in range(table.least + 1):
        part = np.minimum(1.0, least / np.maximum(table.wanted, 1))
        totals[least] -= (table.replicas * part)[:, None]
    return totals


def _read(
    model: Model, table: _Table, chosen: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]", totals: Floats, place: int
) -> Bundle:
    """Walk back from the best end."""
    least, grid = np.unravel_index(int(totals[:, place, :].argmin()), totals[:, place, :].shape)
    replicas, parts = int(least), int(grid)
    counts: dict[int, int] = {}
    while replicas > 0 or parts > 0:
        option = int(chosen[replicas, place, parts])
        column = int(table.columns[place, option])
        index = int(model.option_of[column])
        counts[index] = counts.get(index, 0) + 1
        replicas, parts = max(0, replicas - 1), max(0, parts - int(table.downs[place, option]))
    return _trimmed(model, counts)


def _trimmed(model: Model, counts: dict[int, int]) -> Bundle:
    """Without what the grid's rounding added: replicas that the rest serves everything without."""
    ask = model.problem.works[model.options[next(iter(counts))].work] if counts else None
    least = ask.min_replicas if isinstance(ask, ServiceAsk) else 0
    served = sum(model.options[option].step * count for option, count in counts.items())
    for option in sorted(counts, key=lambda each: model.options[each].step):
        step = model.options[option].step
        while counts[option] and served - step >= 1.0 - 1e-12 and sum(counts.values()) > least:
            counts[option] -= 1
            served -= step
    return tuple(sorted((option, count) for option, count in counts.items() if count))


def is_allowed(model: Model, bundle: Bundle) -> bool:
    """Whether a service's own limits let it have this bundle."""
    if not bundle:
        return True
    ask = model.problem.works[model.options[bundle[0][0]].work]
    if isinstance(ask, JobAsk) or sum(count for _, count in bundle) > ask.max_replicas:
        return False
    if any(count > model.options[option].limit for option, count in bundle):
        return False
    if ask.spread is not Spread.NODES:
        return True
    there: dict[int, int] = {}
    for option, count in bundle:
        pool = model.options[option].pool
        there[pool] = there.get(pool, 0) + count
    return all(count <= model.problem.pools[pool].nodes for pool, count in there.items())


def columns_of(model: Model, bundle: Bundle, columns: Sequence[Sequence[int]]) -> dict[int, float]:
    """The counts of choice columns: what runs stays first, the rest are starts."""
    found: dict[int, float] = {}
    for option, count in bundle:
        left = float(count)
        for column in columns[option]:
            taken = min(left, float(model.upper[column]))
            if taken > 0:
                found[column] = taken
                left -= taken
    return found
