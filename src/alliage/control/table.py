"""The routing table from desired state and what agents report. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from alliage.control.observed import EngineState, NodeReport
from alliage.control.tempos import Tempos, kind_of
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.replicas import Replica
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Upstream
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.units import format_bytes

Endpoints = Mapping[ReplicaId, Upstream]
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
    price_of: PriceOf = lambda _: FREE,
) -> RoutingTable:
    """All routes and keys. A service that is being deleted has no route: new requests get a 404, old ones finish."""
    routes = {
        service.name: replace(
            _route(service, view.replicas_of(service.name), endpoints, reports), price=price_of(service)
        )
        for service in view.services
        if service.phase is not ServicePhase.DELETING
    }
    keys = {key.sha256: KeyEntry(key=key.id, tenant=key.tenant, role=key.role) for key in view.keys}
    return RoutingTable(version=version, routes=routes, keys=keys)


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
