"""The auction: devices by kind, jobs that each want one gang on one kind -> a price a device of each kind.

Prices p minimise D(p) = sum_j C_j p_j + sum_i max(0, max_j(V_ij - g_i p_j)), C_j devices of kind j, g_i devices of job
i, V_ij what the job is worth there. D(p) at any p >= 0 is at least the value of any assignment: it is the certificate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels
from alliage.errors import BadInput

BIDDING = "alliage.decide.price.bidding"
SWEEPS = 30
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What one more device of each kind is worth, in the unit of the values; no assignment is worth more than `bound`."""

    by_kind: NDArray[np.float64]
    bound: float
    sweeps: int


def find_prices(
    *,
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    devices: NDArray[np.int64],
    start: NDArray[np.float64] | None = None,
    sweeps: int = SWEEPS,
    compiled: bool = True,
) -> Prices:
    """Prices for `values` (jobs x kinds, 0 where a job cannot run), from `start`, in at most `sweeps` sweeps.

    BadInput: a value that is negative or no number, a gang under 1, a negative number of devices.
    """
    _check(values, gangs, devices, compiled=compiled)
    run = kernels(BIDDING, compiled=compiled)
    top = float(values.max(initial=0.0))
    if top == 0.0:
        return Prices(by_kind=np.zeros(len(devices)), bound=0.0, sweeps=0)
    scaled = values / top
    prices = np.zeros(len(devices)) if start is None else start / top
    took = int(run.settle_prices(scaled, gangs, devices, prices, sweeps, TOLERANCE))
    bound = float(run.dual_bound(scaled, gangs, devices, prices))
    return Prices(by_kind=prices * top, bound=bound * top, sweeps=took)


def _check(
    values: NDArray[np.float64], gangs: NDArray[np.int64], devices: NDArray[np.int64], *, compiled: bool
) -> None:
    """Refuse what has no price."""
    if values.shape != (len(gangs), len(devices)):
        raise BadInput(f"values of shape {values.shape} for {len(gangs)} jobs and {len(devices)} kinds")
    if not all_sound(values, compiled=compiled):
        raise BadInput("a job's value is negative or not finite", remedy="give 0 where it cannot run")
    if len(gangs) and gangs.min() < 1:
        raise BadInput(f"a gang of {gangs.min()} devices", remedy="a job takes at least 1")
    if len(devices) and devices.min() < 0:
        raise BadInput(f"{devices.min()} devices of a kind", remedy="give 0 where there are none")


def all_sound(numbers: NDArray[np.float64], *, compiled: bool = True) -> bool:
    """Whether all are finite and not negative."""
    return bool(kernels(BIDDING, compiled=compiled).sound(numbers.reshape(-1)))
