"""What devices cost: the capacity duals of one money LP in which unserved demand costs its tenant's stated value."""

from dataclasses import replace
from typing import Final

import numpy as np

from alliage.decide.solve.answer import PoolPrice
from alliage.decide.solve.gangs import levels_of
from alliage.decide.solve.highs import Solver
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.setting import Setting, neutral

POOLS_MAX: Final = 48
"""Intervals take two solves a pool: above so many pools only the duals are given."""


def prices_of(solver: Solver, *, with_intervals: bool) -> tuple[PoolPrice, ...]:
    """Prices by pool, in the problem's order; empty where the LP did not end in its budget.

    The LP has list prices, values, budgets and capacity, whole replicas only as far as one is never worth more than
    all demand; no floors, no guarantees, and no cold starts: a price is about what a device is worth, to whomever.
    """
    model = solver.model
    setting = _price_setting(model)
    base = solver.relax(setting)
    if base is None:
        return ()
    rows = _rows_of(model)
    found: list[PoolPrice] = []
    wanted = with_intervals and len(model.problem.pools) <= POOLS_MAX
    for number, pool in enumerate(model.problem.pools):
        scarce = sum(-base.duals[row] * usable for row, usable in rows[number]) / pool.node_devices
        low = high = dual = max(0.0, float(scarce))
        done = False
        if wanted:
            gain, loss = (_changed(solver, setting, rows[number], base.value, by) for by in (1, -1))
            if gain is not None and (loss is not None or not pool.nodes):
                done = True
                low = min(dual, max(0.0, gain) / pool.node_devices)
                high = max(dual, (dual if loss is None else loss / pool.node_devices))
        listed = pool.price_micros
        found.append(
            PoolPrice(
                pool=pool.name,
                list_micros=listed,
                low_micros=listed + round(low * model.scale),
                price_micros=listed + round(dual * model.scale),
                high_micros=listed + round(high * model.scale),
                is_interval=done,
            )
        )
    return tuple(found)


def _price_setting(model: Model) -> Setting:
    """Nothing is held and nothing runs: what stands now costs what it would cost anew, without its cold start."""
    cost = model.money.copy()
    devices = np.array([option.gang.devices for option in model.options], dtype=np.float64)
    listed = np.array([model.problem.pools[option.pool].price_micros for option in model.options], dtype=np.float64)
    if len(devices):
        cost[: model.choices] = (devices * listed / model.scale)[model.option_of]
    lower = model.lower.copy()
    lower[: model.choices] = 0.0
    return replace(neutral(model), cost=cost, offset=model.worth, lower=lower)


def _rows_of(model: Model) -> list[list[tuple[int, int]]]:
    """The capacity rows of each pool with the devices that one node adds to them."""
    in_pool: list[list[int]] = [[] for _ in model.problem.pools]
    for index, option in enumerate(model.options):
        in_pool[option.pool].append(index)
    names = {name: row for row, name in enumerate(model.rows.names)}
    found: list[list[tuple[int, int]]] = []
    for number, pool in enumerate(model.problem.pools):
        levels = levels_of((model.options[index].gang for index in in_pool[number]), pool)
        found.append([(names[f"devices/{pool.name}/{level.slot}"], level.usable) for level in levels])
    return found


def _changed(solver: Solver, setting: Setting, rows: list[tuple[int, int]], value: float, by: int) -> float | None:
    """How much one node more gains, or one less loses."""
    upper: Floats = setting.row_upper.copy()
    for row, usable in rows:
        upper[row] += by * usable
    if min((upper[row] for row, _ in rows), default=0.0) < 0:
        return None
    answer = solver.relax(replace(setting, row_upper=upper))
    return None if answer is None else (value - answer.value) * by
