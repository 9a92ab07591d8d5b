"""MemoryStore: the control room's Store with nothing behind it. The store's contract suite runs over it too."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import TypeVar

from alliage.control.observed import Observation
from alliage.control.ports import MEASURED_KEPT, Changes, Stale
from alliage.decide.reasons import Decision
from alliage.fleet.failed import Failed
from alliage.fleet.ids import KeyId, NodeId, ReplicaId, ServiceName
from alliage.fleet.keys import Key
from alliage.fleet.measured import Measured, RecipeKey
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView
from alliage.store.guard import newly_bound, refuse_overbound


class MemoryStore:
    """Keeps everything in dicts; obeys the same contract as SqlStore."""

    def __init__(self, *, history_rows: int = 100_000, decisions_per_service: int = 500) -> None:
        self._version = 0
        self._nodes: dict[NodeId, Node] = {}
        self._services: dict[ServiceName, Service] = {}
        self._replicas: dict[ReplicaId, Replica] = {}
        self._keys: dict[KeyId, Key] = {}
        self._tenants: dict[str, Tenant] = {}
        self._projects: dict[tuple[str, str], Project] = {}
        self._failed: dict[tuple[NodeId, RecipeKey], Failed] = {}
        self._decisions: list[Decision] = []
        self._observations: list[Observation] = []
        self._measured: list[Measured] = []
        self._history_rows = history_rows
        self._decisions_per_service = decisions_per_service
        self.closed = False

    def snapshot(self) -> FleetView:
        """Everything, sorted as FleetView says."""
        return FleetView(
            version=self._version,
            nodes=tuple(sorted(self._nodes.values(), key=lambda node: node.id)),
            services=tuple(sorted(self._services.values(), key=lambda service: (service.created_s, service.name))),
            replicas=tuple(sorted(self._replicas.values(), key=lambda replica: (replica.created_s, replica.id))),
            keys=tuple(sorted(self._keys.values(), key=lambda key: key.id)),
            tenants=tuple(sorted(self._tenants.values(), key=lambda tenant: tenant.name)),
            projects=tuple(sorted(self._projects.values(), key=lambda project: (project.tenant, project.name))),
            failed=tuple(sorted(self._failed.values(), key=lambda one: (one.at_s, one.node, astuple(one.recipe)))),
        )

    def commit(self, expected_version: int, changes: Changes) -> int | Stale:
        """All of it, or Stale; StoreError when it would bind more of a device than it has."""
        if expected_version != self._version:
            return Stale(version=self._version)
        nodes = _changed(self._nodes, {node.id: node for node in changes.nodes}, changes.drop_nodes)
        put = {replica.id: replica for replica in changes.replicas}
        replicas = _changed(self._replicas, put, changes.drop_replicas)
        refuse_overbound(
            newly_bound(put.values(), {replica.id: replica.bindings for replica in self._replicas.values()}),
            {device.id: device for node in nodes.values() for device in node.devices},
            {replica.id: replica.bindings for replica in replicas.values()},
        )
        self._nodes, self._replicas = nodes, replicas
        self._services = _changed(
            self._services, {service.name: service for service in changes.services}, changes.drop_services
        )
        self._keys = _changed(self._keys, {key.id: key for key in changes.keys}, changes.drop_keys)
        self._tenants = _changed(
            self._tenants, {tenant.name: tenant for tenant in changes.tenants}, changes.drop_tenants
        )
        projects = {(project.tenant, project.name): project for project in changes.projects}
        self._projects = _changed(self._projects, projects, changes.drop_projects)
        self._failed = _changed(
            self._failed, {(failed.node, failed.recipe): failed for failed in changes.failed}, changes.drop_failed
        )
        self._record(changes.decisions)
        self.append(changes.observations)
        if changes != Changes(decisions=changes.decisions, observations=changes.observations):
            self._version += 1
        return self._version

    def append(self, observations: Sequence[Observation]) -> None:
        """Add to the history, which keeps the newest `history_rows`."""
        self._observations = [*self._observations, *observations][-self._history_rows :]

    def decisions(self, service: ServiceName, limit: int) -> tuple[Decision, ...]:
        """The newest first."""
        return tuple([one for one in reversed(self._decisions) if one.service == service][:limit])

    def observations(self, subject: str, limit: int) -> tuple[Observation, ...]:
        """The newest first."""
        return tuple([one for one in reversed(self._observations) if one.subject == subject][:limit])

    def newest_decisions(self, limit: int) -> tuple[Decision, ...]:
        """Of all services, the newest first."""
        return tuple([*reversed(self._decisions)][:limit])

    def newest_observations(self, limit: int) -> tuple[Observation, ...]:
        """Of all subjects, the newest first."""
        return tuple([*reversed(self._observations)][:limit])

    def record_measured(self, measured: Sequence[Measured]) -> None:
        """The newest MEASURED_KEPT of each recipe on each node stay, and the newest `history_rows` of all."""
        kept: list[Measured] = []
        room: dict[tuple[NodeId, RecipeKey], int] = {}
        for each in reversed([*self._measured, *measured]):
            room[each.node, each.key] = room.get((each.node, each.key), MEASURED_KEPT) - 1
            if room[each.node, each.key] >= 0:
                kept.append(each)
        self._measured = kept[: self._history_rows][::-1]

    def measured(self) -> tuple[Measured, ...]:
        """The newest first."""
        return tuple(reversed(self._measured))

    def close(self) -> None:
        """Only remembers that it was called."""
        self.closed = True

    def _record(self, decisions: Sequence[Decision]) -> None:
        kept: list[Decision] = []
        room: dict[ServiceName, int] = {}
        for decision in reversed([*self._decisions, *decisions]):
            room[decision.service] = room.get(decision.service, self._decisions_per_service) - 1
            if room[decision.service] >= 0:
                kept.append(decision)
        self._decisions = kept[: self._history_rows][::-1]


_Id = TypeVar("_Id")
_Row = TypeVar("_Row")


def _changed(rows: dict[_Id, _Row], put: dict[_Id, _Row], drop: Sequence[_Id]) -> dict[_Id, _Row]:
    merged = rows | put
    return {key: row for key, row in merged.items() if key not in drop}
