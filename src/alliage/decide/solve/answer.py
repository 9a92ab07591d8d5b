"""What a plan says: what runs where, what it cannot serve and why, what devices cost, and how far the solve got."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from alliage.decide.solve.reasons import Why


class Status(StrEnum):
    """How far the money stage got. Anything but `optimal` quotes its gap."""

    OPTIMAL = "optimal"
    """Proven to be the best there is, within a millionth."""
    GAP = "gap"
    """Proven to be within `gap` of the best, which was asked for."""
    CUT_SHORT = "cut_short"
    """The budget ran out first, or planning again was content with more; `gap` is what was proven (infinite: nothing)."""


class Stage(StrEnum):
    """What is settled in turn, each without giving up what was settled before by more than its tolerance."""

    GUARANTEE = "guarantee"
    """Value: guaranteed work served, summed over tenants as parts of all their work (from 0 to 1 each)."""
    SHARE = "share"
    """Value: the common part of the divisible problem's max-min levels that whole gangs reach, from 0 to 1."""
    MONEY = "money"
    """Value: micros an hour of devices, cold starts and unserved demand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """One stage (of one tier for guarantees): what was reached and the proven bound of what can be."""

    stage: Stage
    tier: int
    value: float
    bound: float
    tolerance: float
    is_cut_short: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """`count` replicas of a service, or jobs of a shape, by a way in a pool; each takes `devices` devices."""

    work: str
    way: str
    pool: str
    count: int
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The difference to what runs now: so many starts (positive) or stops (negative)."""

    work: str
    way: str
    pool: str
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPrice:
    """What a device-hour costs: list price plus scarcity, from the duals of the money LP.

    `low_micros` is what one more node would gain, `high_micros` what one less would lose, both a device-hour and with
    the list price; they differ where the LP is degenerate or a node is a large step. Where they were not computed
    (`is_interval` false: too many pools) both are `price_micros`.
    """

    pool: str
    list_micros: int
    low_micros: int
    price_micros: int
    high_micros: int
    is_interval: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """Work that is not, or not wholly, served. `missing` is in requests a second, or in jobs; and why."""

    work: str
    tenant: str
    missing: float
    missing_replicas: int
    """How many the service lacks of its least number of replicas."""
    because: tuple[Why, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A tenant's part: of all its work, by its own values, how much is served (0 to 1).

    `guaranteed` is what its guarantee alone gives it; `level` is the max-min level of the divisible problem.
    """

    tenant: str
    guaranteed: float
    level: float
    served: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unkept:
    """A guarantee that is not used up although its tenant has work missing that counts towards it; and what stops it."""

    tenant: str
    chips: frozenset[str]
    site: str
    devices: int
    used: int
    work: str
    because: tuple[Why, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What a later plan may start from: the money stage's duals by the names of its rows, and the floors it had.

    Duals are over `scale`; `fingerprint` is of everything in the problem but nodes and what runs; `origin` is what ran,
    by (work, way, pool), when the duals were found.
    """

    duals: Mapping[str, float]
    scale: float
    floors: Mapping[str, float]
    fingerprint: str
    origin: Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer. Tuples are sorted by work, way and pool."""

    status: Status
    gap: float
    """Of the money stage: (value - bound) / value."""
    stages: tuple[StageResult, ...]
    replicas: tuple[Assigned, ...]
    jobs: tuple[Assigned, ...]
    moves: tuple[Move, ...]
    prices: tuple[PoolPrice, ...]
    unmet: tuple[Unmet, ...]
    shares: tuple[Share, ...]
    unkept: tuple[Unkept, ...]
    work_used: int
    """Simplex iterations of the solver, all stages together."""
    more_starts: tuple[Why, ...] = ()
    """Of a plan made from the last one: why it starts more replicas and jobs than were lost of that."""
    warm: Warm | None = field(default=None, compare=False, repr=False)

    @property
    def assigned(self) -> tuple[Assigned, ...]:
        """Replicas and jobs."""
        return (*self.replicas, *self.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """No plan can be made of what was given: `culprit` is the name of what contradicts, `reason` says what."""

    culprit: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a solve may take, and how exact it has to be.

    `work` counts the solver's simplex iterations, single-threaded and seeded: the same input and seed give the same
    bytes. `wall_s` is for the live loop only; None elsewhere. `gap` is the money stage's that suffices (0.01 is 1 %).
    """

    work: int = 500_000
    wall_s: float | None = None
    gap: float = 0.01
    seed: int = 0
