"""Kernels of the rounding: prices -> whole gangs on kinds, then swaps. Plain functions, also run compiled.

A job's kind is -1 where it waits. Ties go to the job that stands first, then to the kind that stands first.
"""
# ruff: noqa: PLR0917 - compiled functions take their arrays by position

import numpy as np
from numpy.typing import NDArray

KERNELS = ("fill", "choose_evicted", "try_swap", "improve", "worth")
GAIN = 1e-9  # of what the job is worth at best: a smaller gain is rounding noise


def fill(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    prices: NDArray[np.float64],
    kinds: NDArray[np.int64],
    free: NDArray[np.int64],
) -> None:
    """Give waiting jobs what is free, highest value over price a device first, until no waiting gang fits anywhere.

    A value that vanishes beside a price (beyond 1e16 times as large) still counts: then the higher value is first.
    """
    count = len(prices)
    cost, shortfall = np.empty(values.size), np.empty(values.size)
    for job in range(len(gangs)):
        for kind in range(count):
            cost[job * count + kind] = -values[job, kind] / gangs[job]
            shortfall[job * count + kind] = prices[kind] - values[job, kind] / gangs[job]
    by_value = np.argsort(cost, kind="mergesort")
    for place in np.argsort(shortfall[by_value], kind="mergesort"):
        pair = by_value[place]
        job, kind = pair // count, pair % count
        if kinds[job] < 0 and values[job, kind] > 0.0 and free[kind] >= gangs[job]:
            kinds[job] = kind
            free[kind] -= gangs[job]


def choose_evicted(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    kinds: NDArray[np.int64],
    kind: int,
    needed: int,
    evicted: NDArray[np.bool_],
) -> float:
    """Mark jobs on `kind` that together hold at least `needed` devices and are worth little; what they are worth.

    The least worth a device first, then those that were not needed after all are spared; or one job, if that is
    cheaper. Infinite where all together hold too little.
    """
    evicted[:] = False
    there = np.nonzero(kinds == kind)[0]
    density = np.empty(len(there))
    for place in range(len(there)):
        density[place] = values[there[place], kind] / gangs[there[place]]
    ranked = there[np.argsort(density, kind="mergesort")]
    got, loss, single = 0, 0.0, -1
    for job in ranked:
        if gangs[job] >= needed and (single < 0 or values[job, kind] < values[single, kind]):
            single = job
        if got < needed:
            evicted[job] = True
            got += gangs[job]
            loss += values[job, kind]
    if got < needed:
        return np.inf
    for job in ranked[::-1]:
        if evicted[job] and got - gangs[job] >= needed:
            evicted[job] = False
            got -= gangs[job]
            loss -= values[job, kind]
    if single >= 0 and values[single, kind] < loss:
        evicted[:] = False
        evicted[single] = True
        loss = values[single, kind]
    return float(loss)


def try_swap(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    kinds: NDArray[np.int64],
    free: NDArray[np.int64],
    job: int,
    least: float,
    evicted: NDArray[np.bool_],
) -> bool:
    """Move `job` to where it adds most after those it displaces are counted; whether it moved."""
    now = values[job, kinds[job]] if kinds[job] >= 0 else 0.0
    best, target = least, -1
    for kind in range(len(free)):
        gain = values[job, kind] - now
        if kind == kinds[job] or gain <= best:
            continue
        if gangs[job] > free[kind]:
            gain -= choose_evicted(values, gangs, kinds, kind, gangs[job] - free[kind], evicted)
        if gain > best:
            best, target = gain, kind
    if target < 0:
        return False
    if gangs[job] > free[target]:
        choose_evicted(values, gangs, kinds, target, gangs[job] - free[target], evicted)
        for other in np.nonzero(evicted)[0]:
            kinds[other] = -1
            free[target] += gangs[other]
    if kinds[job] >= 0:
        free[kinds[job]] += gangs[job]
    kinds[job] = target
    free[target] -= gangs[job]
    return True


def improve(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    prices: NDArray[np.float64],
    kinds: NDArray[np.int64],
    free: NDArray[np.int64],
    passes: int,
) -> None:
    """Swap while it pays, jobs of most value first, and fill again after each pass; at most `passes` passes."""
    top = np.empty(len(gangs))
    for job in range(len(gangs)):
        top[job] = 0.0
        for kind in range(len(free)):
            top[job] = max(top[job], values[job, kind])
    order = np.argsort(-top, kind="mergesort")
    evicted = np.zeros(len(gangs), dtype=np.bool_)
    for _ in range(passes):
        swapped = False
        for job in order:
            if try_swap(values, gangs, kinds, free, job, GAIN * top[job], evicted):
                swapped = True
        if not swapped:
            return
        fill(values, gangs, prices, kinds, free)


def worth(values: NDArray[np.float64], kinds: NDArray[np.int64]) -> float:
    """What this round is worth: the values of the jobs that run."""
    total = 0.0
    for job in range(len(kinds)):
        if kinds[job] >= 0:
            total += values[job, kinds[job]]
    return total
