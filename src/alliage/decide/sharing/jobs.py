"""What sharing is about: jobs as columns of numbers, tenants with weights and guarantees, and what one round gives."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.auction import all_sound
from alliage.errors import BadInput

WAITS = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Jobs that want to run, one a row; no field knows how much work a job has left. Kinds of device are columns.

    `speeds` are steps/s of the whole gang, 0 where it cannot run; `private_steps` are what an equal private share of
    all devices would have done since it came (`private.py`). `kinds` is where it ran last round, -1 where it waited.
    """

    gangs: NDArray[np.int64]
    speeds: NDArray[np.float64]
    steps: NDArray[np.float64]
    private_steps: NDArray[np.float64]
    age_s: NDArray[np.float64]
    kinds: NDArray[np.int64]
    run_s: NDArray[np.float64]
    """How long it has run since it last started or changed its kind."""
    tenants: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gangs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """Devices of a group of kinds that a tenant has a right to when it asks."""

    kinds: frozenset[int]
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant's `weight` multiplies what its jobs are worth; what it has beyond its guarantees is borrowed."""

    weight: float = 1.0
    guarantees: tuple[Guarantee, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A guarantee that could not be met this round though its tenant asked: how many devices, and what stood against it."""

    tenant: int
    guarantee: Guarantee
    devices: int
    obstacle: str
    """`held`: a job that may not be moved yet stands there. `gang`: what is left has no gang that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """One round: each job's kind (-1 waits), the price of a device of each kind, and the certificate."""

    kinds: NDArray[np.int64]
    prices: NDArray[np.float64]
    value: float
    bound: float
    unmet: tuple[Unmet, ...] = ()

    @property
    def certificate(self) -> float:
        """How near the round is to the best there is, at least: value over bound, 1 where nothing was open."""
        return self.value / self.bound if self.bound > 0.0 else 1.0


def check(jobs: Jobs, devices: NDArray[np.int64], tenants: tuple[Tenant, ...], *, compiled: bool = True) -> None:
    """Refuse numbers that no round can be made of."""
    if jobs.speeds.shape != (len(jobs), len(devices)):
        raise BadInput(f"speeds of shape {jobs.speeds.shape} for {len(jobs)} jobs and {len(devices)} kinds")
    for name in ("speeds", "steps", "private_steps", "age_s", "run_s"):
        if not all_sound(getattr(jobs, name), compiled=compiled):
            raise BadInput(f"{name} has a negative or infinite entry", remedy="give 0 where nothing is known")
    if len(jobs) and not (jobs.tenants.min() >= 0 and jobs.tenants.max() < len(tenants)):
        raise BadInput(f"tenant {jobs.tenants.max()} of a job, of {len(tenants)} tenants")
    for tenant in tenants:
        if not (math.isfinite(tenant.weight) and tenant.weight > 0.0):
            raise BadInput(f"weight {tenant.weight} of a tenant", remedy="give a positive number")
