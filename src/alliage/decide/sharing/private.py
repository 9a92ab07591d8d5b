"""The private share: what a job would do alone on an equal part of all devices. The yardstick of fairness."""

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels


def private_speeds(
    *,
    gangs: NDArray[np.int64],
    speeds: NDArray[np.float64],
    devices: NDArray[np.int64],
    jobs: int,
    compiled: bool = True,
) -> NDArray[np.float64]:
    """Steps/s of each job on 1/`jobs` of the devices of every kind, in turns; at most all of the time.

    Gavel's isolated share (Narayanan et al., OSDI 2020, finish-time fairness): the times a kind's part could feed the
    gang, cut in proportion where they add to more than the job can use.
    """
    run = kernels("alliage.decide.sharing.valuing", compiled=compiled)
    rates: NDArray[np.float64] = run.private_rows(gangs, speeds, devices, jobs)
    return rates
