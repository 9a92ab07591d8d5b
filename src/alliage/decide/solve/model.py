"""The programme as arrays: columns for options and parts, rows for capacity, demand and limits. No solver here.

Columns, in order: options (one that runs now has two: what stays, and what would be started), parts (how far each is
served, 0 to 1), and one `theta`, the level that the share stage raises. Money is divided by `scale`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.solve.options import Option, options_of
from alliage.decide.solve.parts import Part, PartKind, parts_of
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.rows import (
    Floats,
    Ints,
    Matrix,
    budget_rows,
    capacity_rows,
    compressed,
    floor_rows,
    guarantee_rows,
    work_rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Where each kind of row is; `names` are stable from one problem to the next."""

    names: tuple[str, ...]
    lower: Floats
    upper: Floats
    guarantees: tuple[tuple[int, float], ...]
    """Row and right-hand side of what guarantees give; the right-hand side is infinite unless guarantees are settled."""
    first_part: int
    """The row of the first part; the others follow in order: how much of the part is served at most."""
    floors: tuple[tuple[str, int], ...]
    """Tenant and its row: how much of its work is served, less `theta` times a factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Column-wise matrix (`starts`, `rows_at`, `values`), bounds, and what each column is."""

    problem: Problem
    options: tuple[Option, ...]
    parts: tuple[Part, ...]
    option_of: Ints
    """Option of each of the first columns; those of parts and `theta` follow."""
    is_start: NDArray[np.bool_]
    """Which of these are starts of what does not run now."""
    starts: Ints
    rows_at: Ints
    values: Floats
    lower: Floats
    upper: Floats
    rows: Rows
    money: Floats
    """Cost of each column in micros an hour over `scale`: devices, cold starts; what serving a part is worth, negative."""
    worth: float
    """What all parts are worth, over `scale`: added to the money, it makes unserved demand cost its value."""
    weights: Floats
    """Of each part in its tenant's work: they add up to 1."""
    scale: float

    @property
    def choices(self) -> int:
        """How many columns are of options: they come first and are whole numbers."""
        return len(self.option_of)

    @property
    def column_of(self) -> Ints:
        """The column of each entry of the matrix."""
        return np.repeat(np.arange(len(self.lower), dtype=np.int32), np.diff(self.starts))

    @property
    def theta(self) -> int:
        """The last column."""
        return len(self.lower) - 1


def build(problem: Problem) -> Model:
    """The programme of a problem that `check` let through."""
    options, parts = options_of(problem), parts_of(problem)
    columns = _columns(problem, options)
    of_option: list[list[int]] = [[] for _ in options]
    for column, (option, _, _, _) in enumerate(columns):
        of_option[option].append(column)
    first_part = len(columns)
    theta = first_part + len(parts)
    weights = _weights(parts)
    matrix = Matrix()
    capacity_rows(matrix, problem, options, of_option)
    first_part_row = len(matrix.names)
    work_rows(matrix, problem, options, of_option, parts, first_part)
    budget_rows(matrix, problem, options, of_option)
    guarantees = guarantee_rows(matrix, problem, options, of_option)
    floors = floor_rows(matrix, problem, parts, weights, first_part, theta)
    prices = _money(problem, options, columns)
    worth = np.array([part.value for part in parts])
    scale = max(1.0, float(np.max(np.concatenate((np.abs(prices), worth, [1.0])))) / 1e4)
    starts, rows_at, values = compressed(matrix, theta + 1)
    served = _servable(options, parts)
    return Model(
        problem=problem,
        options=tuple(options),
        parts=tuple(parts),
        option_of=np.array([option for option, _, _, _ in columns], dtype=np.int32),
        is_start=np.array([is_start for _, _, _, is_start in columns], dtype=bool),
        starts=starts,
        rows_at=rows_at,
        values=values,
        lower=np.array([low for _, low, _, _ in columns] + [0.0] * (len(parts) + 1)),
        upper=np.array([high for _, _, high, _ in columns] + served + [0.0]),
        rows=Rows(
            names=tuple(matrix.names),
            lower=np.array(matrix.lower),
            upper=np.array(matrix.upper),
            guarantees=guarantees,
            first_part=first_part_row,
            floors=floors,
        ),
        money=np.concatenate((prices, -worth, [0.0])) / scale,
        worth=float(worth.sum()) / scale,
        weights=weights,
        scale=scale,
    )


def _columns(problem: Problem, options: Sequence[Option]) -> list[tuple[int, float, float, bool]]:
    """(option, least, most, is a start); two columns for what runs where starting another costs something."""
    columns: list[tuple[int, float, float, bool]] = []
    for index, option in enumerate(options):
        if option.running and problem.works[option.work].start_micros:
            columns.append((index, float(option.held), float(option.running), False))
            if option.limit > option.running:
                columns.append((index, 0.0, float(option.limit - option.running), True))
        else:
            columns.append((index, float(option.held), float(option.limit), not option.running))
    return columns


def _money(problem: Problem, options: Sequence[Option], columns: Sequence[tuple[int, float, float, bool]]) -> Floats:
    hours = problem.horizon_s / 3600.0
    costs = np.zeros(len(columns))
    for column, (index, _, _, is_start) in enumerate(columns):
        option = options[index]
        costs[column] = option.gang.devices * problem.pools[option.pool].price_micros
        if is_start:
            costs[column] += problem.works[option.work].start_micros / hours
    return costs


def _weights(parts: Sequence[Part]) -> Floats:
    """Each part's share in the value of its tenant's work; all alike where none is worth anything."""
    total: dict[str, float] = {}
    count: dict[str, int] = {}
    for part in parts:
        total[part.tenant] = total.get(part.tenant, 0.0) + part.value
        count[part.tenant] = count.get(part.tenant, 0) + 1
    return np.array(
        [part.value / total[part.tenant] if total[part.tenant] else 1.0 / count[part.tenant] for part in parts]
    )


def _servable(options: Sequence[Option], parts: Sequence[Part]) -> list[float]:
    """1 for a part that some option serves, else 0."""
    any_way = {option.work for option in options if option.limit}
    known = {option.work for option in options if option.limit and option.step > 0}
    return [float(part.work in (any_way if part.kind is PartKind.LEAST else known)) for part in parts]
