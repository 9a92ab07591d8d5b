"""Kernels of worth: what a round is worth to each job, and what a private share would give it. Also run compiled."""
# ruff: noqa: PLR0917 - compiled functions take their arrays by position

import numpy as np
from numpy.typing import NDArray

KERNELS = ("find_best", "value_rows", "private_rows")
LAG_CAP = 10.0  # times the guard's limit: beyond it numbers would only grow


def find_best(speeds: NDArray[np.float64], job: int) -> float:
    """A job's speed on its best kind; 1 where it runs nowhere, to divide by."""
    best = 0.0
    for kind in range(speeds.shape[1]):
        best = max(best, speeds[job, kind])
    return best if best > 0.0 else 1.0


def value_rows(
    gangs: NDArray[np.int64],
    speeds: NDArray[np.float64],
    steps: NDArray[np.float64],
    private_steps: NDArray[np.float64],
    age_s: NDArray[np.float64],
    kinds: NDArray[np.int64],
    weights: NDArray[np.float64],
    settings: NDArray[np.float64],
    crowd: float,
) -> NDArray[np.float64]:
    """Jobs x kinds: what running there is worth; `settings` as `values.py` lays them out."""
    gang_power, speed_power, rate_power, work_power, stay, stay_gang_power = settings[:6]
    rate_settle_s, rate_first, work_settle_s, lag_max, lag_power, lag_settle_s = settings[6:]
    values = np.zeros(speeds.shape)
    for job in range(len(gangs)):
        best = find_best(speeds, job)
        done_s = steps[job] / best
        rate = (done_s + rate_first * rate_settle_s) / (age_s[job] + rate_settle_s)
        worth = weights[job] * float(gangs[job]) ** gang_power
        worth *= (done_s + work_settle_s) ** work_power / rate**rate_power
        lag = (private_steps[job] / best + lag_settle_s) / (done_s + lag_settle_s) / lag_max
        if lag > 1.0:
            worth *= min(lag, LAG_CAP) ** lag_power
        for kind in range(speeds.shape[1]):
            if speeds[job, kind] > 0.0:
                values[job, kind] = worth * (speeds[job, kind] / best) ** speed_power
        if kinds[job] >= 0:
            values[job, kinds[job]] *= 1.0 + stay * crowd * float(gangs[job]) ** stay_gang_power
    return values


def private_rows(
    gangs: NDArray[np.int64], speeds: NDArray[np.float64], devices: NDArray[np.int64], jobs: int
) -> NDArray[np.float64]:
    """Steps/s of each job on 1/`jobs` of the devices of every kind."""
    rates = np.empty(len(gangs))
    for job in range(len(gangs)):
        times, rate = 0.0, 0.0
        for kind in range(len(devices)):
            time = devices[kind] / (jobs * gangs[job])
            times += time
            rate += time * speeds[job, kind]
        rates[job] = rate / max(times, 1.0)
    return rates
