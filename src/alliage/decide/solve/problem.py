"""What a plan is made of: sites, pools, tenants, what they ask for, and what runs now. Frozen values, no decisions.

Money is in micros of one currency an hour, speeds of services in requests a second (`_rps`), speeds of jobs in units
of their own work an hour (`_per_h`), gangs and guarantees in devices.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from alliage.fleet.replicas import Evidence

MAGNITUDE_MAX: Final = 1e15
"""No figure of a problem may be larger: beyond it doubles no longer tell neighbouring integers apart."""
USABLE: Final = frozenset({Evidence.ESTIMATED, Evidence.REHEARSED, Evidence.MEASURED})


class Spread(StrEnum):
    """Which neighbourhood two replicas of a service may not share."""

    NONE = "none"
    NODES = "nodes"
    SITES = "sites"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place. `tags` say which residency rules it keeps, beside its region and its own name."""

    name: str
    region: str = ""
    tags: frozenset[str] = frozenset()

    def keeps(self, residency: frozenset[str]) -> bool:
        """Whether work that may live only where one of `residency` holds may live here; empty means anywhere."""
        return not residency or bool(residency & {self.name, self.region, *self.tags})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Alike nodes: one site, one chip, `node_devices` devices each, one link domain.

    Nodes that are partly taken by something the plan may not touch are a pool of their own with fewer devices.
    `price_micros` is the list price of one device-hour.
    """

    name: str
    site: str
    chip: str
    node_devices: int
    nodes: int
    price_micros: int = 0

    @property
    def devices(self) -> int:
        """All of them."""
        return self.node_devices * self.nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """`devices` devices of any of `chips`, at one site or (empty) wherever they are, that a tenant has a right to."""

    chips: frozenset[str]
    devices: int
    site: str = ""

    def covers(self, pool: Pool) -> bool:
        """Whether devices of this pool count towards it."""
        return pool.chip in self.chips and self.site in {"", pool.site}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Who asks. Guarantees of tier 0 are kept before those of tier 1, and so on.

    `weight` is its share of what is beyond guarantees, against the other tenants'. `budget_micros` is the most its
    devices may cost an hour at list prices; None for no limit.
    """

    name: str
    tier: int = 0
    weight: float = 1.0
    guarantees: tuple[Guarantee, ...] = ()
    budget_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A recipe as the plan sees it: a gang of `devices` of one chip and what it does. Its memory is known to fit.

    `rate` is what one replica carries at the objective (requests a second), or for a job its work an hour; None is
    unknown: such a way may make up the least number of replicas, and nothing is reckoned to be served by it.
    A way whose evidence is `failed` is never used.
    """

    name: str
    chip: str
    devices: int
    rate: float | None
    evidence: Evidence = Evidence.ESTIMATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAsk:
    """A service: its traffic, its ways, and what serving it is worth.

    `value_micros` is what an hour is worth to its tenant with all demand served, a part of it in proportion; None is
    not stated: then it is reckoned at some times what serving it costs, so that it is served where there is room.
    `start_micros` is what a cold start costs, `residency` the tags, regions or sites it may live in (empty: any).
    """

    name: str
    tenant: str
    demand_rps: float
    ways: tuple[Way, ...]
    min_replicas: int = 0
    max_replicas: int = 1000
    residency: frozenset[str] = frozenset()
    spread: Spread = Spread.NONE
    value_micros: int | None = None
    start_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAsk:
    """`count` jobs of one shape. `value_micros`: an hour of one job at its full speed; None as for a service.

    Full speed is what keeps `deadline_s` (seconds from now, None for none) with `remaining` work left; without a
    deadline it is that of the fastest way. A slower way is worth its part of that; with a deadline it is not used.
    """

    name: str
    tenant: str
    count: int
    ways: tuple[Way, ...]
    remaining: float = 0.0
    deadline_s: float | None = None
    is_preemptible: bool = True
    residency: frozenset[str] = frozenset()
    value_micros: int | None = None
    start_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """`count` replicas of a service or jobs of a shape that run now by a way in a pool.

    `held` of them may not be taken away: jobs within their minimum run time. All jobs that are not preemptible are
    held whatever is said here.
    """

    work: str
    way: str
    pool: str
    count: int
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Everything a plan may know. Names are unique within their kind; services and jobs share one space of names.

    `horizon_s` is for how long the plan is expected to stand: a cold start's cost is spread over it.
    """

    sites: tuple[Site, ...] = ()
    pools: tuple[Pool, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    services: tuple[ServiceAsk, ...] = ()
    jobs: tuple[JobAsk, ...] = ()
    running: tuple[Running, ...] = ()
    horizon_s: float = 3600.0

    works: tuple[ServiceAsk | JobAsk, ...] = field(init=False, repr=False, compare=False)
    """Services, then jobs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "works", (*self.services, *self.jobs))
