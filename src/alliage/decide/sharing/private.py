"""The private share: what a job would do alone on an equal part of all devices. The yardstick of fairness."""

import numpy as np
from numpy.typing import NDArray


def private_speeds(
    *, gangs: NDArray[np.int64], speeds: NDArray[np.float64], devices: NDArray[np.int64], jobs: int
) -> NDArray[np.float64]:
    """Steps/s of each job on 1/`jobs` of the devices of every kind, in turns; at most all of the time.

    Gavel's isolated share (Narayanan et al., OSDI 2020, finish-time fairness): the times a kind's part could feed the
    gang, cut in proportion where they add to more than the job can use.
    """
    times = devices[np.newaxis, :] / (jobs * gangs[:, np.newaxis])
    times /= np.maximum(times.sum(axis=1), 1.0)[:, np.newaxis]
    return (times * speeds).sum(axis=1)
