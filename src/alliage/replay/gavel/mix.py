"""A mix of jobs in Gavel's setting, drawn from its own random streams, so that a seed means the same jobs as there."""

from dataclasses import dataclass
from math import log
from random import Random

import numpy as np
from numpy.typing import NDArray

from alliage.replay.gavel.speeds import DISTRIBUTED, TYPES, SpeedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Jobs in order of arrival, one a row: seconds, devices of its gang, steps/s by kind, steps to do."""

    arrivals_s: NDArray[np.float64]
    gangs: NDArray[np.int64]
    speeds: NDArray[np.float64]
    steps: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.gangs)


def draw_mix(*, seed: int, jobs: int, rate_per_h: float, multi: bool, table: SpeedTable) -> Mix:
    """`jobs` jobs, the first at 0, then `rate_per_h` an hour (Poisson; 0: all at 0). `multi`: gangs of 1 to 8.

    Per job: a draw for the gang (made even where all are single), the duration on the first kind (a fifth long: 10^U(3,4)
    min, else 10^U(1.5,3)), then its type, drawn again until it runs on such a gang. Streams: seed + 2 jobs, + 3 arrivals.
    """
    draws, gaps = Random(seed + 2), Random(seed + 3)  # noqa: S311 - a simulation
    now, rows = 0.0, []
    for index in range(jobs):
        if index and rate_per_h > 0.0:
            now += -log(1.0 - gaps.random()) / (rate_per_h / 3600.0)
        gang = _draw_gang(draws) if multi else _skip_gang(draws)
        duration_s = 60.0 * 10.0 ** (draws.uniform(3, 4) if draws.random() >= 0.8 else draws.uniform(1.5, 3))
        speeds = table.find(_draw_type(draws, gang), gang)
        rows.append((now, gang, speeds, duration_s * speeds[0]))
    return Mix(
        arrivals_s=np.array([row[0] for row in rows]),
        gangs=np.array([row[1] for row in rows], dtype=np.int64),
        speeds=np.array([row[2] for row in rows]),
        steps=np.array([row[3] for row in rows]),
    )


def _draw_gang(draws: Random) -> int:
    """70 % single, 10 % two, 15 % four, 5 % eight."""
    part = draws.random()
    if part > 0.95:
        return 8
    if part > 0.8:
        return 4
    return 2 if part >= 0.7 else 1


def _skip_gang(draws: Random) -> int:
    """One draw spent, so that both mixes go on from the same place in the stream."""
    draws.random()
    return 1


def _draw_type(draws: Random, gang: int) -> int:
    """A type, the same chance each, that runs on such a gang."""
    while True:
        job_type = draws.randrange(len(TYPES))
        if gang == 1 or job_type < len(DISTRIBUTED):
            return job_type
