"""Queries inside a transaction that the caller holds."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Row, func, select

from alliage.control.observed import Observation
from alliage.decide.reasons import Decision
from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.measured import Measured
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Binding
from alliage.fleet.view import FleetView
from alliage.store import rows, tables

Item = TypeVar("Item")
_ITEMS_A_QUERY: Final = 1000  # PostgreSQL and SQLite both bound the parameters of a statement


def read_version(connection: Connection, *, lock: bool = False) -> int:
    """The version; with `lock` no other commit can come between this and the end of the transaction."""
    query = select(tables.meta.c.version)
    return int(connection.execute(query.with_for_update() if lock else query).scalar_one())


def read_view(connection: Connection, version: int) -> FleetView:
    """Everything, sorted as FleetView says (by code point, whatever the database's collation)."""
    bindings = _grouped(connection.execute(select(tables.bindings).order_by(tables.bindings.c.place)))
    nodes = read_nodes(connection)
    services = (rows.service_of(row) for row in connection.execute(select(tables.services)))
    replicas = (rows.replica_of(row, bindings.get(row.id, ())) for row in connection.execute(select(tables.replicas)))
    keys = (rows.key_of(row) for row in connection.execute(select(tables.keys)))
    tenants = (rows.tenant_of(row) for row in connection.execute(select(tables.tenants)))
    projects = (rows.project_of(row) for row in connection.execute(select(tables.projects)))
    failed = (rows.failed_of(row) for row in connection.execute(select(tables.failed)))
    return FleetView(
        version=version,
        nodes=tuple(sorted(nodes, key=lambda node: node.id)),
        services=tuple(sorted(services, key=lambda service: (service.created_s, service.name))),
        replicas=tuple(sorted(replicas, key=lambda replica: (replica.created_s, replica.id))),
        keys=tuple(sorted(keys, key=lambda key: key.id)),
        tenants=tuple(sorted(tenants, key=lambda tenant: tenant.name)),
        projects=tuple(sorted(projects, key=lambda project: (project.tenant, project.name))),
        failed=tuple(sorted(failed, key=lambda one: (one.at_s, one.node, astuple(one.recipe)))),
    )


def read_nodes(connection: Connection) -> tuple[Node, ...]:
    """All nodes, in any order."""
    return tuple(rows.node_of(row) for row in connection.execute(select(tables.nodes)))


def read_devices(connection: Connection) -> Mapping[DeviceId, Device]:
    """All devices of all nodes."""
    return {device.id: device for node in read_nodes(connection) for device in node.devices}


def read_bindings_of(connection: Connection, replicas: Collection[ReplicaId]) -> dict[ReplicaId, tuple[Binding, ...]]:
    """What these replicas are bound to; a replica without bindings is left out."""
    found: dict[ReplicaId, tuple[Binding, ...]] = {}
    for some in _batches(replicas):
        query = select(tables.bindings).where(tables.bindings.c.replica.in_(some)).order_by(tables.bindings.c.place)
        found |= _grouped(connection.execute(query))
    return found


def read_bindings_on(connection: Connection, devices: Collection[DeviceId]) -> dict[ReplicaId, tuple[Binding, ...]]:
    """What is bound on these devices, by replica."""
    held: dict[ReplicaId, list[Binding]] = {}
    for some in _batches(devices):
        for row in connection.execute(select(tables.bindings).where(tables.bindings.c.device.in_(some))):
            held.setdefault(row.replica, []).append(rows.binding_of(row))
    return {replica: tuple(bindings) for replica, bindings in held.items()}


def read_decisions(connection: Connection, service: ServiceName, limit: int) -> tuple[Decision, ...]:
    """The newest first."""
    table = tables.decisions
    query = select(table).where(table.c.service == service).order_by(table.c.id.desc()).limit(limit)
    return tuple(rows.decision_of(row) for row in connection.execute(query))


def read_observations(connection: Connection, subject: str, limit: int) -> tuple[Observation, ...]:
    """The newest first."""
    table = tables.observations
    query = select(table).where(table.c.subject == subject).order_by(table.c.id.desc()).limit(limit)
    return tuple(rows.observation_of(row) for row in connection.execute(query))


def read_newest_decisions(connection: Connection, limit: int) -> tuple[Decision, ...]:
    """Of all services, the newest first: by the primary key, however long the history is."""
    table = tables.decisions
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    return tuple(rows.decision_of(row) for row in connection.execute(query))


def read_newest_observations(connection: Connection, limit: int) -> tuple[Observation, ...]:
    """As `read_newest_decisions`, of all subjects."""
    table = tables.observations
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    return tuple(rows.observation_of(row) for row in connection.execute(query))


def newest_measured(connection: Connection) -> int:
    """The id of the newest measurement, 0 where there is none."""
    return int(connection.execute(select(func.max(tables.measurements.c.id))).scalar_one() or 0)


def read_measured(connection: Connection) -> tuple[Measured, ...]:
    """All of them, the newest first."""
    table = tables.measurements
    return tuple(rows.measured_of(row) for row in connection.execute(select(table).order_by(table.c.id.desc())))


def _grouped(found: Iterable[Row[Any]]) -> dict[ReplicaId, tuple[Binding, ...]]:
    groups: dict[ReplicaId, list[Binding]] = {}
    for row in found:
        groups.setdefault(row.replica, []).append(rows.binding_of(row))
    return {replica: tuple(bindings) for replica, bindings in groups.items()}


def _batches(items: Collection[Item]) -> Iterator[list[Item]]:
    ordered = list(items)
    for start in range(0, len(ordered), _ITEMS_A_QUERY):
        yield ordered[start : start + _ITEMS_A_QUERY]
