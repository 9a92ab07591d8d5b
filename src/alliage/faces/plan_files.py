"""The two files of `alliage plan`: a fleet and its work as TOML, turned into a problem. Every mistake names its place.

Money is written in whole units of one currency (an hour, or a device-hour), inside it is micros.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.fit import FitAsk
from alliage.decide.model_ways import ModelWays, model_ways
from alliage.decide.reasons import Rejected
from alliage.decide.solve.problem import Guarantee, JobAsk, Pool, Problem, Running, ServiceAsk, Site, Tenant, Way
from alliage.errors import BadInput
from alliage.faces.plan_tables import (
    FleetFile,
    JobTable,
    PoolTable,
    ServiceTable,
    TenantTable,
    WayTable,
    WorkFile,
)
from alliage.rehearsal.toml_file import read_table
from alliage.units import parse_seconds

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""What runs now may be written by a program, and be long."""
EXAMPLES: Final = "examples/plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What two files ask: a problem, and by service why some chips, engines and precisions cannot serve its model."""

    problem: Problem
    unfit: Mapping[str, tuple[Rejected, ...]]


def read_what_if(fleet: Path, work: Path, catalog: Catalog) -> WhatIf:
    """What is in two files; raises BadInput naming file, field and value."""
    there = read_table(fleet, FleetFile, examples=EXAMPLES, bytes_max=FILE_BYTES_MAX)
    asked = read_table(work, WorkFile, examples=EXAMPLES, bytes_max=FILE_BYTES_MAX)
    chips = frozenset(each.chip for each in there.pools)
    found = {each.name: _ways_of_service(each, chips, catalog, work) for each in asked.services}
    problem = Problem(
        sites=tuple(Site(name=each.name, region=each.region, tags=frozenset(each.tags)) for each in there.sites),
        pools=tuple(_pool(each) for each in there.pools),
        tenants=tuple(_tenant(each) for each in asked.tenants),
        services=tuple(_service(each, found[each.name].ways) for each in asked.services),
        jobs=tuple(_job(each, work) for each in asked.jobs),
        running=tuple(Running(**each.model_dump()) for each in asked.running),
        horizon_s=_seconds(asked.horizon, "horizon", work),
    )
    return WhatIf(problem=problem, unfit={name: each.rejected for name, each in found.items()})


def _ways_of_service(table: ServiceTable, chips: frozenset[str], catalog: Catalog, path: Path) -> ModelWays:
    """Those written out, or those by which the fleet's chips keep the objective with the model."""
    if table.model is None:
        return ModelWays(ways=_ways(table.ways), rejected=())
    if table.ways:
        message = f"{path}: service {table.name} has both a model and ways"
        raise BadInput(message, remedy="write out its ways, or have them found for the model")
    ask = FitAsk(
        context_tokens=table.context_tokens,
        concurrency=table.concurrency,
        input_tokens=table.input_tokens,
        output_tokens=table.output_tokens,
        ttft_s=None if table.ttft is None else _seconds(table.ttft, f"ttft of {table.name}", path),
        tpot_s=None if table.tpot is None else _seconds(table.tpot, f"tpot of {table.name}", path),
        chips=chips,
    )
    return model_ways(_model(table.model, catalog, path), ask, catalog, precisions=table.precisions)


def _model(name: str, catalog: Catalog, path: Path) -> ModelCard:
    if name in catalog.models:
        return catalog.models[name]
    near = get_close_matches(name, catalog.models, n=1)
    raise BadInput(
        f"{path}: there is no model {name!r} in the catalogue",
        remedy=f"did you mean {near[0]}?"
        if near
        else "docs/models.md lists them, and a file in the home folder adds one",
    )


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


def _service(table: ServiceTable, ways: tuple[Way, ...]) -> ServiceAsk:
    return ServiceAsk(
        name=table.name,
        tenant=table.tenant,
        demand_rps=table.demand_rps,
        ways=ways,
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
