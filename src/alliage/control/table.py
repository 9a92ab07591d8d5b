"""The routing table from desired state and what agents report. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from alliage.catalog.records import Engine
from alliage.control.limiting import limited_scopes, scopes_of
from alliage.control.observed import EngineState, NodeReport
from alliage.control.tempos import Tempos, kind_of
from alliage.engines.serving import serves
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.keys import Key
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.limits import Limits, Scope
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.replicas import Recipe, Replica, recipe_words
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Upstream
from alliage.fleet.services import Service
from alliage.fleet.usage import Origin
from alliage.fleet.view import FleetView
from alliage.units import format_bytes

Endpoints = Mapping[ReplicaId, Upstream]
NO_ENGINES: Final[Mapping[str, Engine]] = {}
PriceOf = Callable[[Service], TokenPrice]
"""What a service's tokens cost now."""


def endpoints_after(
    old: Endpoints, view: FleetView, reports: Mapping[NodeId, NodeReport], tempos: Tempos
) -> dict[ReplicaId, Upstream]:
    """Where each ready replica listens, and how fast it should be.

    What an absent agent told before still holds, with doubts: its engines outlive it, unless its machine is what died. What a
    present agent does not tell is over.
    """
    found: dict[ReplicaId, Upstream] = {}
    for replica in view.replicas:
        node = reports.get(replica.node)
        if node is None:
            if replica.id in old:
                found[replica.id] = replace(old[replica.id], is_doubted=True)
            continue
        told = node.replicas.get(replica.id)
        if told is not None and told.state is EngineState.READY:
            found[replica.id] = Upstream(
                replica=replica.id,
                host=told.host,
                port=told.port,
                key=told.key,
                concurrency=replica.recipe.concurrency,
                engine=replica.recipe.engine,
                is_rehearsed=node.node.is_rehearsed,
                tempo=None if (known := tempos.get(kind_of(replica))) is None else known.tempo,
                origin=_origin(replica.recipe, node.node.site),
            )
    return found


def awaited(view: FleetView, endpoints: Endpoints, reports: Mapping[NodeId, NodeReport]) -> bool:
    """Whether a replica is ready by the store, but its agent has yet to tell where: so just after control began."""
    return any(
        replica.phase is ReplicaPhase.READY and replica.id not in endpoints and replica.node not in reports
        for replica in view.replicas
    )


def build_table(
    view: FleetView,
    endpoints: Endpoints,
    reports: Mapping[NodeId, NodeReport],
    *,
    version: int,
    engines: Mapping[str, Engine] = NO_ENGINES,
    price_of: PriceOf = lambda _: FREE,
) -> RoutingTable:
    """All routes, keys and limits. A service that is being deleted has no route: new requests get a 404, old ones finish."""
    routes = {
        service.name: replace(
            _route(service, view.replicas_of(service.name), endpoints, reports), price=price_of(service)
        )
        for service in view.services
        if service.phase is not ServicePhase.DELETING
    }
    upstreams = (upstream for route in routes.values() for upstream in route.upstreams)
    limits = limited_scopes(view)
    logging = frozenset(tenant.name for tenant in view.tenants if tenant.logs_prompts)
    return RoutingTable(
        version=version,
        routes=routes,
        keys={key.sha256: _entry(key, limits, logs_prompts=key.tenant in logging) for key in view.keys},
        limits=limits,
        weights={tenant.name: tenant.weight for tenant in view.tenants if tenant.weight != 1},
        serves=serves(upstreams, engines),
    )


def _entry(key: Key, limits: Mapping[Scope, Limits], *, logs_prompts: bool) -> KeyEntry:
    return KeyEntry(
        key=key.id,
        tenant=key.tenant,
        role=key.role,
        project=key.project,
        priority=key.priority,
        scopes=tuple(scope for scope in scopes_of(key) if scope in limits),
        logs_prompts=logs_prompts,
    )


def _origin(recipe: Recipe, site: str) -> Origin:
    words = recipe_words(recipe.engine, recipe.precision, chip=recipe.chip, devices=recipe.devices, cores=recipe.cores)
    return Origin(model=recipe.model, recipe=words, engine=recipe.engine, chip=recipe.chip, site=site)


def _route(
    service: Service,
    replicas: tuple[Replica, ...],
    endpoints: Endpoints,
    reports: Mapping[NodeId, NodeReport],
) -> Route:
    ready = (replica for replica in replicas if replica.phase is ReplicaPhase.READY)
    upstreams = tuple(endpoints[replica.id] for replica in ready if replica.id in endpoints)
    refusal = ""
    if not upstreams and service.phase is ServicePhase.UNSERVED:
        refusal = _refusal(service.name)
    return Route(
        service=service.name,
        created_s=int(service.created_s),
        tasks=service.model.tasks,
        upstreams=upstreams,
        waiting="" if upstreams or refusal else _waiting(replicas, reports),
        refusal=refusal,
        objective=service.objective,
    )


def _refusal(name: ServiceName) -> str:
    return f"no chip of this fleet can serve {name} now; `alliage explain {name}` says why"


def _waiting(replicas: tuple[Replica, ...], reports: Mapping[NodeId, NodeReport]) -> str:
    """How far the most advanced replica is; without any, control is told by the gateway that one is waited for."""
    if not replicas:
        return "none of its engines runs, one is being started"
    for replica in replicas:
        node = reports.get(replica.node)
        told = node.replicas.get(replica.id) if node is not None else None
        if replica.phase is ReplicaPhase.BACKOFF:
            return f"its engine ended and is tried again soon: {replica.note}"
        if told is not None and told.state is EngineState.FETCHING and told.total_bytes > 0:
            tenths = 10 * told.fetched_bytes // told.total_bytes  # coarse: each change of words is a new table
            return f"its model is being fetched: {tenths}0 % of {format_bytes(told.total_bytes)}"
    return "it is starting"
