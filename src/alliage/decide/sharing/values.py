"""What running a job on a kind is worth this round: more, the less of its speed it has had since it came."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels
from alliage.decide.sharing.jobs import Jobs, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The settings of sharing. With all powers 1, `work_power` 0 and no guard it is proportional fairness over life.

    A job's rate is the part of its best speed that it has had since it came. With rate R, work done W (seconds at best
    speed) and s the speed on a kind over the best, running it there is worth
    gang^gang_power * s^speed_power * (W + work_settle_s)^work_power / R^rate_power, times
    1 + stay * crowd * gang^stay_gang_power where it runs now. `crowd` is how many devices are asked for over how many
    there are: the fuller it is, the more jobs take turns, and the less one more turn is worth its move.
    """

    gang_power: float = 0.5
    speed_power: float = 0.6
    rate_power: float = 0.7
    work_power: float = 0.05
    stay: float = 0.125
    stay_gang_power: float = 0.25
    rate_settle_s: float = 2400.0
    """A job's rate starts at `rate_first` and is its own after about this long."""
    rate_first: float = 0.1
    work_settle_s: float = 3600.0
    lag_max: float = 1.35
    """The guard: past this ratio of what a private share would have done to what was done, worth grows steeply."""
    lag_power: float = 32.0
    lag_settle_s: float = 300.0
    hold_s: float = 0.0
    """A job that started is not displaced before this long, not even for a guarantee."""
    swaps: int = 3
    """Passes of swaps after the first rounding."""


STANDARD = Rule()


def value_jobs(
    jobs: Jobs, devices: NDArray[np.int64], tenants: tuple[Tenant, ...], rule: Rule, *, compiled: bool = True
) -> NDArray[np.float64]:
    """Jobs x kinds: what a round is worth, 0 where a job cannot run. `devices` by kind. Only ratios matter.

    Speeds and steps come in as ratios only, so a job counted in other steps has the same worth.
    """
    run = kernels("alliage.decide.sharing.valuing", compiled=compiled)
    weights = np.array([tenant.weight for tenant in tenants])[jobs.tenants]
    values: NDArray[np.float64] = run.value_rows(
        jobs.gangs, jobs.speeds, jobs.steps, jobs.private_steps, jobs.age_s, jobs.kinds, weights, _lay_out(rule),
        find_crowd(jobs, devices),
    )  # fmt: skip
    return values


def find_crowd(jobs: Jobs, devices: NDArray[np.int64]) -> float:
    """Devices asked for over devices there are; a gang that fits on no kind asks for none. 0 without devices."""
    able = ((jobs.speeds > 0.0) & (devices >= jobs.gangs[:, np.newaxis])).any(axis=1)
    there = int(devices.sum())
    return int(jobs.gangs[able].sum()) / there if there else 0.0


@cache
def _lay_out(rule: Rule) -> NDArray[np.float64]:
    """The settings in the order in which the kernel reads them."""
    return np.array(
        [
            *(rule.gang_power, rule.speed_power, rule.rate_power, rule.work_power),
            *(rule.stay, rule.stay_gang_power),
            *(rule.rate_settle_s, rule.rate_first, rule.work_settle_s),
            *(rule.lag_max, rule.lag_power, rule.lag_settle_s),
        ]
    )


def value_known_work(jobs: Jobs, remaining: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jobs x kinds when the steps still to do are known and the last finish counts: device-seconds of work, by speed.

    Makespan only: what is longest at its best speed is worth most.
    """
    best = jobs.speeds.max(axis=1, initial=0.0)
    best = np.where(best > 0.0, best, 1.0)
    left_s = remaining / best
    return (jobs.gangs * left_s)[:, np.newaxis] * (jobs.speeds / best[:, np.newaxis])
