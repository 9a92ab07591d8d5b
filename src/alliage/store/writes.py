"""One commit's statements, inside a transaction that the caller holds and ends."""

from collections.abc import Sequence
from dataclasses import astuple

from sqlalchemy import Connection, Insert, Table, bindparam, delete, func, insert, select, update

from alliage.control.observed import Observation
from alliage.control.ports import Changes
from alliage.decide.reasons import Decision
from alliage.fleet.measured import Measured
from alliage.fleet.replicas import Replica
from alliage.store import reads, rows, tables
from alliage.store.guard import newly_bound, refuse_overbound


def moves_version(changes: Changes) -> bool:
    """Whether there is more in it than decisions and observations, which are records."""
    return changes != Changes(decisions=changes.decisions, observations=changes.observations)


def write_state(connection: Connection, changes: Changes) -> None:
    """Puts, then drops, then the version; raises StoreError when that would bind more of a device than it has."""
    replicas = {replica.id: replica for replica in changes.replicas}
    before = reads.read_bindings_of(connection, replicas)
    _put(connection, tables.nodes, [rows.node_row(node) for node in changes.nodes])
    _put(connection, tables.services, [rows.service_row(service) for service in changes.services])
    _put(connection, tables.replicas, [rows.replica_row(replica) for replica in replicas.values()])
    _put(connection, tables.keys, [rows.key_row(key) for key in changes.keys])
    _put(connection, tables.tenants, [rows.tenant_row(tenant) for tenant in changes.tenants])
    _put(connection, tables.projects, [rows.project_row(project) for project in changes.projects])
    _put(connection, tables.failed, [rows.failed_row(failed) for failed in changes.failed])
    _bind(connection, [replica for replica in replicas.values() if replica.bindings != before.get(replica.id, ())])
    _drop(connection, tables.nodes, [{"id": node} for node in changes.drop_nodes])
    _drop(connection, tables.services, [{"name": service} for service in changes.drop_services])
    _drop(connection, tables.replicas, [{"id": replica} for replica in changes.drop_replicas])
    _drop(connection, tables.keys, [{"id": key} for key in changes.drop_keys])
    _drop(connection, tables.tenants, [{"name": tenant} for tenant in changes.drop_tenants])
    _drop(connection, tables.projects, [{"tenant": tenant, "name": name} for tenant, name in changes.drop_projects])
    _drop(connection, tables.failed, [rows.failed_key(node, recipe) for node, recipe in changes.drop_failed])
    if touched := newly_bound(replicas.values(), before):
        refuse_overbound(touched, reads.read_devices(connection), reads.read_bindings_on(connection, touched))
    connection.execute(update(tables.meta).values(version=tables.meta.c.version + 1))


def add_decisions(connection: Connection, decisions: Sequence[Decision], *, a_service: int, in_all: int) -> None:
    """Append, then keep the newest `a_service` of each service named and the newest `in_all` of all."""
    if not decisions:
        return
    table = tables.decisions
    connection.execute(insert(table), [rows.decision_row(decision) for decision in decisions])
    for service in sorted({decision.service for decision in decisions}):
        mine = select(table.c.id).where(table.c.service == service).order_by(table.c.id.desc())
        oldest_extra = mine.offset(a_service).limit(1).scalar_subquery()
        connection.execute(delete(table).where(table.c.service == service, table.c.id <= oldest_extra))
    oldest_extra = select(table.c.id).order_by(table.c.id.desc()).offset(in_all).limit(1).scalar_subquery()
    connection.execute(delete(table).where(table.c.id <= oldest_extra))


def add_observations(connection: Connection, observations: Sequence[Observation], *, kept: int) -> None:
    """Append, then keep the newest `kept`. Ids have no gaps worth counting, so the newest id tells how many there are."""
    if not observations:
        return
    table = tables.observations
    connection.execute(insert(table), [rows.observation_row(observation) for observation in observations])
    newest = connection.execute(select(func.max(table.c.id))).scalar_one()
    connection.execute(delete(table).where(table.c.id <= newest - kept))


def add_measured(connection: Connection, measured: Sequence[Measured], *, a_recipe: int, in_all: int) -> None:
    """Append, then keep the newest `a_recipe` of each recipe and node named and the newest `in_all` of all."""
    table = tables.measurements
    connection.execute(insert(table), [rows.measured_row(each) for each in measured])
    newest_first = select(table.c.id).order_by(table.c.id.desc())
    for node, key in sorted({(each.node, astuple(each.key)) for each in measured}):
        columns = (table.c.chip, table.c.model, table.c.engine, table.c.precision, table.c.devices, table.c.cores)
        mine = [table.c.node == node, *(column == value for column, value in zip(columns, key, strict=True))]
        oldest_extra = newest_first.where(*mine).offset(a_recipe).limit(1).scalar_subquery()
        connection.execute(delete(table).where(*mine, table.c.id <= oldest_extra))
    oldest_extra = newest_first.offset(in_all).limit(1).scalar_subquery()
    connection.execute(delete(table).where(table.c.id <= oldest_extra))


def _put(connection: Connection, table: Table, values: list[rows.RowValues]) -> None:
    if not values:
        return
    put = _upsert(connection, table)
    # One statement a row: of two rows with one key, the last is right.
    connection.execute(put, values)


def _upsert(connection: Connection, table: Table) -> Insert:
    keys = [column.name for column in table.primary_key.columns]
    others = [column.name for column in table.columns if column.name not in keys]
    # Imported here: the dialect of a database that is not in use costs 2 MB.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415

        new = sqlite.insert(table)
        return new.on_conflict_do_update(index_elements=keys, set_={name: new.excluded[name] for name in others})
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    put = postgresql.insert(table)
    return put.on_conflict_do_update(index_elements=keys, set_={name: put.excluded[name] for name in others})


def _bind(connection: Connection, replicas: Sequence[Replica]) -> None:
    if not replicas:
        return
    column = tables.bindings.c.replica
    ids = [{"gone": replica.id} for replica in replicas]
    connection.execute(delete(tables.bindings).where(column == bindparam("gone")), ids)
    if new := [row for replica in replicas for row in rows.binding_rows(replica)]:
        connection.execute(insert(tables.bindings), new)


def _drop(connection: Connection, table: Table, keys: Sequence[rows.RowValues]) -> None:
    """Delete the rows whose primary key each of `keys` gives, by column."""
    if not keys:
        return
    # A parameter may not be called as the column is that it is compared with.
    these = [column == bindparam(f"gone_{column.name}") for column in table.primary_key.columns]
    gone = [{f"gone_{name}": value for name, value in key.items()} for key in keys]
    connection.execute(delete(table).where(*these), gone)
