"""Kernels of max-min: at given prices, the cheapest way to give every job the same level. Also run compiled.

A job's cheapest cost by level is the lower hull of the points (rate, cost) of its kinds and (0, 0) for waiting: corner
by corner, each a kind, mixed in time between two corners.
"""
# ruff: noqa: PLR0917 - compiled functions take their arrays by position

import numpy as np
from numpy.typing import NDArray

KERNELS = ("build_hull", "build_hulls", "find_corner", "slopes_at", "find_level", "spend")


def build_hull(
    rates: NDArray[np.float64],
    order: NDArray[np.int64],
    gang: int,
    prices: NDArray[np.float64],
    corners: NDArray[np.int64],
    levels: NDArray[np.float64],
    costs: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> int:
    """One job's hull, its kinds taken by rising rate (`order`); how many corners.

    Written for each corner: its kind (-1 waits), rate, cost, and the slope of the edge that ends there.
    """
    corners[0], levels[0], costs[0], slopes[0] = -1, 0.0, 0.0, 0.0
    count = 1
    for kind in order:
        rate, cost = rates[kind], gang * prices[kind]
        if rate <= 0.0:
            continue
        while count > 1 and (
            rate <= levels[count - 1] or cost - costs[count - 1] <= slopes[count - 1] * (rate - levels[count - 1])
        ):
            if rate <= levels[count - 1] and cost >= costs[count - 1]:
                break
            count -= 1
        if count > 1 and rate <= levels[count - 1]:
            continue
        corners[count], levels[count], costs[count] = kind, rate, cost
        slopes[count] = (cost - costs[count - 1]) / (rate - levels[count - 1])
        count += 1
    return count


def build_hulls(
    rates: NDArray[np.float64],
    orders: NDArray[np.int64],
    gangs: NDArray[np.int64],
    prices: NDArray[np.float64],
    corners: NDArray[np.int64],
    levels: NDArray[np.float64],
    costs: NDArray[np.float64],
    slopes: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """The hulls of all jobs."""
    for job in range(len(gangs)):
        counts[job] = build_hull(
            rates[job], orders[job], gangs[job], prices, corners[job], levels[job], costs[job], slopes[job]
        )


def find_corner(levels: NDArray[np.float64], count: int, level: float) -> int:
    """The corner above `level`: the first of at least that rate, at least 1."""
    corner = 1
    while corner < count - 1 and levels[corner] < level:
        corner += 1
    return corner


def slopes_at(
    levels: NDArray[np.float64], slopes: NDArray[np.float64], counts: NDArray[np.int64], level: float
) -> float:
    """What a little more level costs all jobs together, just below `level`."""
    total = 0.0
    for job in range(len(counts)):
        total += slopes[job, find_corner(levels[job], counts[job], level)]
    return total


def find_level(
    levels: NDArray[np.float64],
    slopes: NDArray[np.float64],
    counts: NDArray[np.int64],
    top: float,
    steps: int,
) -> tuple[float, float, float]:
    """Where a little more level begins to cost more than it is: from, to, and the gain a unit that is left at `from`."""
    if slopes_at(levels, slopes, counts, top) <= 1.0:
        return top, top, 0.0
    low, high, gain = 0.0, top, 1.0
    for _ in range(steps):
        middle = 0.5 * (low + high)
        slope = slopes_at(levels, slopes, counts, middle)
        if slope <= 1.0:
            low, gain = middle, 1.0 - slope
        else:
            high = middle
    return low, high, gain


def spend(
    corners: NDArray[np.int64],
    levels: NDArray[np.float64],
    costs: NDArray[np.float64],
    counts: NDArray[np.int64],
    gangs: NDArray[np.int64],
    level: float,
    shares: NDArray[np.float64],
    usage: NDArray[np.float64],
) -> float:
    """Give every job `level` the cheapest way: its `shares` of time by kind, the devices used by kind; the cost."""
    usage[:] = 0.0
    shares[:] = 0.0
    total = 0.0
    for job in range(len(counts)):
        above = find_corner(levels[job], counts[job], level)
        below = above - 1
        part = (level - levels[job, below]) / (levels[job, above] - levels[job, below])
        total += costs[job, below] + part * (costs[job, above] - costs[job, below])
        kind = corners[job, above]
        shares[job, kind] = part
        usage[kind] += gangs[job] * part
        kind = corners[job, below]
        if kind >= 0:
            shares[job, kind] = 1.0 - part
            usage[kind] += gangs[job] * (1.0 - part)
    return total
