"""Jobs for tests of sharing."""

from collections.abc import Sequence

import numpy as np

from alliage.decide.sharing.jobs import Jobs


def some_jobs(
    speeds: Sequence[Sequence[float]],
    *,
    gangs: Sequence[int] | None = None,
    steps: Sequence[float] | None = None,
    private_steps: Sequence[float] | None = None,
    age_s: Sequence[float] | None = None,
    kinds: Sequence[int] | None = None,
    run_s: Sequence[float] | None = None,
    tenants: Sequence[int] | None = None,
) -> Jobs:
    """Jobs that have just come, single, of one tenant, unless said otherwise."""
    count = len(speeds)
    return Jobs(
        gangs=np.array(gangs or [1] * count, dtype=np.int64),
        speeds=np.array(speeds, dtype=float).reshape(count, -1),
        steps=np.array(steps or [0.0] * count),
        private_steps=np.array(private_steps or [0.0] * count),
        age_s=np.array(age_s or [0.0] * count),
        kinds=np.array(kinds or [-1] * count, dtype=np.int64),
        run_s=np.array(run_s or [0.0] * count),
        tenants=np.array(tenants or [0] * count, dtype=np.int64),
    )


def drawn_jobs(seed: int, count: int, kinds: int, *, tenants: int = 1, most_gang: int = 8) -> Jobs:
    """Jobs in the middle of their lives, from a seed; about a tenth of the kinds are out of reach."""
    draws = np.random.default_rng(seed)
    gangs = draws.choice(np.array([1, 2, 4, 8]), size=count, p=[0.55, 0.15, 0.2, 0.1]).astype(np.int64)
    speeds = draws.uniform(0.2, 5.0, (count, kinds)) * gangs[:, np.newaxis]
    speeds[draws.random(speeds.shape) < 0.1] = 0.0
    age_s = draws.uniform(0.0, 1e5, count)
    best = speeds.max(axis=1)
    places = draws.integers(-1, kinds, count)
    reach = speeds[np.arange(count), np.maximum(places, 0)] > 0.0
    return Jobs(
        gangs=np.minimum(gangs, most_gang),
        speeds=speeds,
        steps=draws.uniform(0.0, 1.0, count) * age_s * best,
        private_steps=draws.uniform(0.0, 1.0, count) * age_s * best,
        age_s=age_s,
        kinds=np.where(reach, places, -1),
        run_s=draws.uniform(0.0, 7200.0, count),
        tenants=draws.integers(0, tenants, count),
    )
