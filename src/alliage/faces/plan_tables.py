"""The tables of the two files of `alliage plan`: what each may hold. Money is in whole units of one currency."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alliage.decide.solve.problem import Spread
from alliage.fleet.replicas import Evidence

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]+$")]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000, strict=True)]


class FileTable(BaseModel):
    """Frozen, and with nothing in it that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(FileTable):
    """A place; `tags` are residency rules it keeps beside its region."""

    name: Name
    region: str = ""
    tags: tuple[Name, ...] = ()


class PoolTable(FileTable):
    """Alike nodes; `price` is of a device-hour."""

    name: Name | None = None
    site: Name
    chip: Name
    nodes: Count
    node_devices: Annotated[int, Field(ge=1, le=4096, strict=True)]
    price: Money = 0.0


class FleetFile(FileTable):
    """What there is."""

    sites: tuple[SiteTable, ...] = ()
    pools: tuple[PoolTable, ...] = ()


class GuaranteeTable(FileTable):
    """A right to devices."""

    chips: Annotated[tuple[Name, ...], Field(min_length=1)]
    devices: Count
    site: str = ""


class TenantTable(FileTable):
    """Who asks; `budget` is an hour's."""

    name: Name
    tier: Count = 0
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    budget: Money | None = None
    guarantees: tuple[GuaranteeTable, ...] = ()


class WayTable(FileTable):
    """A recipe: `rate` is requests a second of a replica, or of a job its work an hour; left out, it is unknown."""

    name: Name | None = None
    chip: Name
    devices: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 1
    rate: Amount | None = None
    evidence: Evidence = Evidence.ESTIMATED


class ServiceTable(FileTable):
    """An endpoint; `value` is what an hour is worth with all demand served, `start_cost` what a cold start costs.

    How it may run is either written out (`ways`) or follows from a `model` of the catalogue and its objective: `ttft` and
    `tpot`, for requests of so many tokens, `concurrency` of which must fit a replica at once.
    """

    name: Name
    tenant: Name
    demand_rps: Amount
    ways: tuple[WayTable, ...] = ()
    model: Name | None = None
    precisions: tuple[Name, ...] = ()
    ttft: str | None = None
    tpot: str | None = None
    input_tokens: Tokens = 1024
    output_tokens: Tokens = 256
    context_tokens: Tokens = 8192
    concurrency: Annotated[int, Field(ge=1, le=4096, strict=True)] = 16
    min_replicas: Count = 0
    max_replicas: Count = 1000
    residency: tuple[Name, ...] = ()
    spread: Spread = Spread.NONE
    value: Money | None = None
    start_cost: Money = 0.0


class JobTable(FileTable):
    """`count` jobs of one shape; `value` is of an hour of one at full speed."""

    name: Name
    tenant: Name
    count: Count = 1
    ways: tuple[WayTable, ...] = ()
    remaining: Amount = 0.0
    deadline: str | None = None
    preemptible: bool = True
    residency: tuple[Name, ...] = ()
    value: Money | None = None
    start_cost: Money = 0.0


class RunningTable(FileTable):
    """What runs now; `held` of them may not be taken away yet."""

    work: Name
    way: Name
    pool: Name
    count: Count
    held: Count = 0


class WorkFile(FileTable):
    """What is asked of it."""

    horizon: str = "1h"
    tenants: tuple[TenantTable, ...] = ()
    services: tuple[ServiceTable, ...] = ()
    jobs: tuple[JobTable, ...] = ()
    running: tuple[RunningTable, ...] = ()
