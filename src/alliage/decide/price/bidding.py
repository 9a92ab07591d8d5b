"""Kernels of the auction: each kind's price in turn, until none moves. Plain functions, also run compiled."""
# ruff: noqa: PLR0917 - compiled functions take their arrays by position

import numpy as np
from numpy.typing import NDArray

KERNELS = ("bids_for", "clearing_price", "forbidding_price", "settle_prices", "dual_bound", "sound")


def bids_for(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    prices: NDArray[np.float64],
    kind: int,
    bids: NDArray[np.float64],
) -> None:
    """The price a device of `kind` at which each job would turn to its next best place, or to waiting."""
    for job in range(len(values)):
        other = 0.0
        for each in range(len(prices)):
            surplus = values[job, each] - gangs[job] * prices[each]
            if each != kind and surplus > other:
                other = surplus
        bids[job] = (values[job, kind] - other) / gangs[job]


def clearing_price(bids: NDArray[np.float64], gangs: NDArray[np.int64], devices: int) -> float:
    """Midway between the last bid that fits and the first that does not; 0 where all positive bids fit."""
    taken = 0
    last = -1.0
    for job in np.argsort(-bids, kind="mergesort"):
        if bids[job] <= 0.0:
            return 0.0
        if taken + gangs[job] > devices:
            return float(bids[job]) if last < 0.0 else float(0.5 * (last + bids[job]))
        taken += gangs[job]
        last = bids[job]
    return 0.0


def forbidding_price(values: NDArray[np.float64], gangs: NDArray[np.int64], kind: int) -> float:
    """The least price at which nobody wants a kind of which there is none, whatever else costs."""
    price = 0.0
    for job in range(len(values)):
        price = max(price, values[job, kind] / gangs[job])
    return price


def settle_prices(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    devices: NDArray[np.int64],
    prices: NDArray[np.float64],
    sweeps: int,
    tolerance: float,
) -> int:
    """Move `prices` in place until no price moves by more than `tolerance` of itself; how many sweeps that took."""
    bids = np.empty(len(values))
    for sweep in range(sweeps):
        settled = True
        for kind in range(len(devices)):
            if devices[kind] > 0:
                bids_for(values, gangs, prices, kind, bids)
                price = clearing_price(bids, gangs, devices[kind])
            else:
                price = forbidding_price(values, gangs, kind)
            if abs(price - prices[kind]) > tolerance * price:
                settled = False
            prices[kind] = price
        if settled:
            return sweep + 1
    return sweeps


def dual_bound(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    devices: NDArray[np.int64],
    prices: NDArray[np.float64],
) -> float:
    """D(p): what all devices cost, and what each job would gain at these prices."""
    bound = 0.0
    for kind in range(len(devices)):
        bound += devices[kind] * prices[kind]
    for job in range(len(values)):
        best = 0.0
        for kind in range(len(devices)):
            surplus = values[job, kind] - gangs[job] * prices[kind]
            best = max(best, surplus)
        bound += best
    return bound


def sound(numbers: NDArray[np.float64]) -> bool:
    """Whether all of a flat array are finite and not negative."""
    for number in numbers:  # noqa: SIM110 - numba compiles no generator
        if not 0.0 <= number < np.inf:
            return False
    return True
