"""The rows of the programme: capacity level by level, demand, each work's own limits, budgets, guarantees, floors."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alliage.decide.solve.gangs import levels_of, takes
from alliage.decide.solve.options import Option
from alliage.decide.solve.parts import Part, PartKind
from alliage.decide.solve.problem import Pool, Problem, ServiceAsk, Spread, Tenant

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
INF: Final = float("inf")
ENTRIES_OF_GUARANTEE_MAX: Final = 6
"""Guarantees of one tenant that overlap are told apart exactly up to so many of them."""


class Matrix:
    """Rows and entries as they come."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.at: list[int] = []
        self.columns: list[int] = []
        self.values: list[float] = []

    def row(self, name: str, entries: Iterable[tuple[int, float]], *, lower: float = -INF, upper: float = INF) -> int:
        """Add a row; returns its index."""
        index = len(self.names)
        self.names.append(name)
        self.lower.append(lower)
        self.upper.append(upper)
        for column, value in entries:
            self.at.append(index)
            self.columns.append(column)
            self.values.append(value)
        return index


def capacity_rows(
    matrix: Matrix, problem: Problem, options: Sequence[Option], of_option: Sequence[Sequence[int]]
) -> None:
    """Pool by pool and size level by size level, in devices."""
    in_pool: list[list[int]] = [[] for _ in problem.pools]
    for index, option in enumerate(options):
        in_pool[option.pool].append(index)
    for place, indices in zip(problem.pools, in_pool, strict=True):
        for level in levels_of((options[index].gang for index in indices), place):
            entries = [
                (column, float(taken))
                for index in indices
                if (taken := takes(options[index].gang, level))
                for column in of_option[index]
            ]
            matrix.row(f"devices/{place.name}/{level.slot}", entries, upper=float(place.nodes * level.usable))


def work_rows(  # noqa: PLR0917 - the parts of the programme that meet here
    matrix: Matrix,
    problem: Problem,
    options: Sequence[Option],
    of_option: Sequence[Sequence[int]],
    parts: Sequence[Part],
    first_part: int,
) -> None:
    """What serves each part, then each work's own limits."""
    of_work: list[list[int]] = [[] for _ in problem.works]
    for index, option in enumerate(options):
        of_work[option.work].append(index)
    for place, part in enumerate(parts):
        work = problem.works[part.work]
        entries = [(first_part + place, 1.0)]
        for index in of_work[part.work]:
            step = options[index].step
            if part.kind is PartKind.LEAST and isinstance(work, ServiceAsk):
                step = 1.0 / work.min_replicas
            if step > 0:
                entries.extend((column, -step) for column in of_option[index])
        matrix.row(f"{part.kind}/{work.name}", entries, upper=0.0)
    for position, mine in enumerate(of_work):
        if mine:
            _own_rows(matrix, problem, options, of_option, position, mine)


def _own_rows(  # noqa: PLR0917 - as above
    matrix: Matrix,
    problem: Problem,
    options: Sequence[Option],
    of_option: Sequence[Sequence[int]],
    position: int,
    mine: Sequence[int],
) -> None:
    """The most replicas or jobs of one work, and how they are spread."""
    work = problem.works[position]
    most = work.max_replicas if isinstance(work, ServiceAsk) else work.count
    _limit_row(matrix, f"most/{work.name}", options, of_option, mine, most)
    if isinstance(work, ServiceAsk) and work.spread is Spread.SITES:
        for site in problem.sites:
            there = [index for index in mine if problem.pools[options[index].pool].site == site.name]
            _limit_row(matrix, f"site/{site.name}/{work.name}", options, of_option, there, 1)
    if isinstance(work, ServiceAsk) and work.spread is Spread.NODES:
        for number, pool in enumerate(problem.pools):
            there = [index for index in mine if options[index].pool == number]
            _limit_row(matrix, f"nodes/{pool.name}/{work.name}", options, of_option, there, pool.nodes)


def _limit_row(  # noqa: PLR0917 - as above
    matrix: Matrix,
    name: str,
    options: Sequence[Option],
    of_option: Sequence[Sequence[int]],
    indices: Sequence[int],
    most: int,
) -> None:
    """At most so many of these options together, and never fewer than are held; no row where it could not bind."""
    if sum(options[index].limit for index in indices) <= most:
        return
    held = sum(options[index].held for index in indices)
    entries = [(column, 1.0) for index in indices for column in of_option[index]]
    matrix.row(name, entries, upper=float(max(most, held)))


def budget_rows(
    matrix: Matrix, problem: Problem, options: Sequence[Option], of_option: Sequence[Sequence[int]]
) -> None:
    """What a tenant's devices cost at list prices; work that is held runs on whatever it costs."""
    for tenant in problem.tenants:
        if tenant.budget_micros is None:
            continue
        mine = [index for index, option in enumerate(options) if problem.works[option.work].tenant == tenant.name]
        costs = {index: options[index].gang.devices * problem.pools[options[index].pool].price_micros for index in mine}
        unit = float(max(1, *costs.values())) if costs else 1.0
        held = sum(options[index].held * cost for index, cost in costs.items())
        entries = [(column, cost / unit) for index, cost in costs.items() if cost for column in of_option[index]]
        if entries:
            matrix.row(f"budget/{tenant.name}", entries, upper=max(tenant.budget_micros, held) / unit)


def guarantee_rows(
    matrix: Matrix, problem: Problem, options: Sequence[Option], of_option: Sequence[Sequence[int]]
) -> tuple[tuple[int, float], ...]:
    """For every set of a tenant's guarantees: what only these can account for is no more than they give together."""
    rows: list[tuple[int, float]] = []
    of_tenant: dict[str, list[int]] = {}
    for index, option in enumerate(options):
        of_tenant.setdefault(problem.works[option.work].tenant, []).append(index)
    for tenant in problem.tenants:
        if not tenant.guarantees:
            continue
        by_pool = [covering(tenant, pool) for pool in problem.pools]
        accounts = {index: by_pool[options[index].pool] for index in of_tenant.get(tenant.name, [])}
        for number, group in enumerate(_unions({each for each in accounts.values() if each})):
            mine = [index for index, by in accounts.items() if by and by <= group]
            entries = [(column, float(options[index].gang.devices)) for index in mine for column in of_option[index]]
            held = sum(options[index].held * options[index].gang.devices for index in mine)
            given = sum(tenant.guarantees[each].devices for each in group)
            rows.append((matrix.row(f"guarantee/{tenant.name}/{number}", entries), float(max(given, held))))
    return tuple(rows)


def covering(tenant: Tenant, pool: Pool) -> frozenset[int]:
    """Which of a tenant's guarantees devices of this pool count towards."""
    return frozenset(index for index, each in enumerate(tenant.guarantees) if each.covers(pool))


def _unions(groups: set[frozenset[int]]) -> list[frozenset[int]]:
    """All unions of these sets, smallest first; of many guarantees only the sets themselves and their union."""
    if len(groups) > ENTRIES_OF_GUARANTEE_MAX:
        whole = frozenset().union(*groups)
        return sorted({*groups, whole}, key=lambda group: (len(group), sorted(group)))
    found = set(groups)
    for group in groups:
        found |= {group | other for other in found}
    return sorted(found, key=lambda group: (len(group), sorted(group)))


def floor_rows(  # noqa: PLR0917 - as above
    matrix: Matrix, problem: Problem, parts: Sequence[Part], weights: Floats, first_part: int, theta: int
) -> tuple[tuple[str, int], ...]:
    """How much of its work a tenant has served; `theta` has an entry so that its factor can be changed."""
    rows: list[tuple[str, int]] = []
    for tenant in problem.tenants:
        entries = [
            (first_part + index, float(weights[index]))
            for index, part in enumerate(parts)
            if part.tenant == tenant.name and weights[index] > 0
        ]
        if entries:
            rows.append((tenant.name, matrix.row(f"floor/{tenant.name}", [*entries, (theta, -1.0)])))
    return tuple(rows)


def compressed(matrix: Matrix, columns: int) -> tuple[Ints, Ints, Floats]:
    """Column-wise, rows in order within a column."""
    at, column = np.array(matrix.at, dtype=np.int32), np.array(matrix.columns, dtype=np.int32)
    order = np.lexsort((at, column))
    counts = np.bincount(column, minlength=columns) if len(column) else np.zeros(columns, dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    return starts, at[order], np.array(matrix.values)[order]
