"""The two files of `alliage plan`: a fleet and its work as TOML, turned into a problem. Every mistake names its place.

Money is written in whole units of one currency (an hour, or a device-hour), inside it is micros.
"""

import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alliage.decide.solve.problem import (
    Guarantee,
    JobAsk,
    Pool,
    Problem,
    Running,
    ServiceAsk,
    Site,
    Spread,
    Tenant,
    Way,
)
from alliage.errors import BadInput
from alliage.fleet.replicas import Evidence
from alliage.units import parse_seconds

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]+$")]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
FILE_BYTES_MAX = 16 * 1024 * 1024

Body = TypeVar("Body", bound="_Table")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(_Table):
    """A place; `tags` are residency rules it keeps beside its region."""

    name: Name
    region: str = ""
    tags: tuple[Name, ...] = ()


class PoolTable(_Table):
    """Alike nodes; `price` is of a device-hour."""

    name: Name | None = None
    site: Name
    chip: Name
    nodes: Count
    node_devices: Annotated[int, Field(ge=1, le=4096, strict=True)]
    price: Money = 0.0


class FleetFile(_Table):
    """What there is."""

    sites: tuple[SiteTable, ...] = ()
    pools: tuple[PoolTable, ...] = ()


class GuaranteeTable(_Table):
    """A right to devices."""

    chips: Annotated[tuple[Name, ...], Field(min_length=1)]
    devices: Count
    site: str = ""


class TenantTable(_Table):
    """Who asks; `budget` is an hour's."""

    name: Name
    tier: Count = 0
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    budget: Money | None = None
    guarantees: tuple[GuaranteeTable, ...] = ()


class WayTable(_Table):
    """A recipe: `rate` is requests a second of a replica, or of a job its work an hour; left out, it is unknown."""

    name: Name | None = None
    chip: Name
    devices: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 1
    rate: Amount | None = None
    evidence: Evidence = Evidence.ESTIMATED


class ServiceTable(_Table):
    """An endpoint; `value` is what an hour is worth with all demand served, `start_cost` what a cold start costs."""

    name: Name
    tenant: Name
    demand_rps: Amount
    ways: tuple[WayTable, ...] = ()
    min_replicas: Count = 0
    max_replicas: Count = 1000
    residency: tuple[Name, ...] = ()
    spread: Spread = Spread.NONE
    value: Money | None = None
    start_cost: Money = 0.0


class JobTable(_Table):
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


class RunningTable(_Table):
    """What runs now; `held` of them may not be taken away yet."""

    work: Name
    way: Name
    pool: Name
    count: Count
    held: Count = 0


class WorkFile(_Table):
    """What is asked of it."""

    horizon: str = "1h"
    tenants: tuple[TenantTable, ...] = ()
    services: tuple[ServiceTable, ...] = ()
    jobs: tuple[JobTable, ...] = ()
    running: tuple[RunningTable, ...] = ()


def read_problem(fleet: Path, work: Path) -> Problem:
    """The problem in two files; raises BadInput naming file, field and value."""
    there, asked = _read(fleet, FleetFile), _read(work, WorkFile)
    return Problem(
        sites=tuple(Site(name=each.name, region=each.region, tags=frozenset(each.tags)) for each in there.sites),
        pools=tuple(_pool(each) for each in there.pools),
        tenants=tuple(_tenant(each) for each in asked.tenants),
        services=tuple(_service(each) for each in asked.services),
        jobs=tuple(_job(each, work) for each in asked.jobs),
        running=tuple(Running(**each.model_dump()) for each in asked.running),
        horizon_s=_seconds(asked.horizon, "horizon", work),
    )


def _read(path: Path, body: type[Body]) -> Body:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})"
        raise BadInput(message, remedy="name a TOML file; examples/plan has two") from error
    if len(raw) > FILE_BYTES_MAX:
        raise BadInput(f"{path} is larger than {FILE_BYTES_MAX} bytes", remedy="name a file that a person wrote")
    try:
        return body.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}", remedy="mend that line") from error
    except ValidationError as error:
        raise BadInput(_first_fault(path, error), remedy="mend it in the file") from error


def _first_fault(path: Path, error: ValidationError) -> str:
    """`work.toml: services[0].demand_rps is -1: Input should be greater than or equal to 0`."""
    faults = error.errors(include_url=False)
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])  # a typo explains the rest
    field = ""
    for part in fault["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    value = fault.get("input")
    shown = "" if isinstance(value, (dict, list, tuple)) else f" is {value!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {field}{shown}: {fault['msg']}{more}"


def _pool(table: PoolTable) -> Pool:
    return Pool(
        name=table.name or f"{table.site}/{table.chip}",
        site=table.site,
        chip=table.chip,
        node_devices=table.node_devices,
        nodes=table.nodes,
        price_micros=_micros(table.price),
    )


def _tenant(table: TenantTable) -> Tenant:
    return Tenant(
        name=table.name,
        tier=table.tier,
        weight=table.weight,
        budget_micros=None if table.budget is None else _micros(table.budget),
        guarantees=tuple(
            Guarantee(chips=frozenset(each.chips), devices=each.devices, site=each.site) for each in table.guarantees
        ),
    )


def _service(table: ServiceTable) -> ServiceAsk:
    return ServiceAsk(
        name=table.name,
        tenant=table.tenant,
        demand_rps=table.demand_rps,
        ways=_ways(table.ways),
        min_replicas=table.min_replicas,
        max_replicas=table.max_replicas,
        residency=frozenset(table.residency),
        spread=table.spread,
        value_micros=None if table.value is None else _micros(table.value),
        start_micros=_micros(table.start_cost),
    )


def _job(table: JobTable, path: Path) -> JobAsk:
    return JobAsk(
        name=table.name,
        tenant=table.tenant,
        count=table.count,
        ways=_ways(table.ways),
        remaining=table.remaining,
        deadline_s=None if table.deadline is None else _seconds(table.deadline, f"deadline of {table.name}", path),
        is_preemptible=table.preemptible,
        residency=frozenset(table.residency),
        value_micros=None if table.value is None else _micros(table.value),
        start_micros=_micros(table.start_cost),
    )


def _ways(tables: tuple[WayTable, ...]) -> tuple[Way, ...]:
    return tuple(
        Way(
            name=table.name or f"{table.devices} x {table.chip}",
            chip=table.chip,
            devices=table.devices,
            rate=table.rate,
            evidence=table.evidence,
        )
        for table in tables
    )


def _seconds(text: str, field: str, path: Path) -> float:
    try:
        return parse_seconds(text)
    except BadInput as error:
        raise BadInput(f"{path}: {field}: {error.message}", remedy=error.remedy) from error


def _micros(units: float) -> int:
    return round(units * 1e6)
