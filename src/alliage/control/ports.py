"""The Protocols that the loop needs of the world: Store, Runtime, Doors, Models, Clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from alliage.catalog.records import ModelCard
from alliage.control.actions import Action
from alliage.control.observed import DoorReport, NodeReport, Observation
from alliage.decide.reasons import Decision
from alliage.fleet.failed import Failed
from alliage.fleet.ids import KeyId, NodeId, ReplicaId, ServiceName
from alliage.fleet.keys import Key
from alliage.fleet.limits import Scope
from alliage.fleet.measured import Measured, RecipeKey
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.routing import RoutingTable
from alliage.fleet.services import Service
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView

MEASURED_KEPT: Final = 20
"""How many measurements of one recipe on one node a store keeps: the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One commit: rows put (inserted or replaced by id), rows dropped, decisions and observations appended. Puts before drops."""

    nodes: tuple[Node, ...] = ()
    services: tuple[Service, ...] = ()
    replicas: tuple[Replica, ...] = ()
    keys: tuple[Key, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    projects: tuple[Project, ...] = ()
    failed: tuple[Failed, ...] = ()
    """One of each recipe on each node: a later one takes the place of an earlier one."""
    drop_nodes: tuple[NodeId, ...] = ()
    drop_services: tuple[ServiceName, ...] = ()
    drop_replicas: tuple[ReplicaId, ...] = ()
    drop_keys: tuple[KeyId, ...] = ()
    drop_tenants: tuple[str, ...] = ()
    drop_projects: tuple[tuple[str, str], ...] = ()
    """By tenant and name."""
    drop_failed: tuple[tuple[NodeId, RecipeKey], ...] = ()
    decisions: tuple[Decision, ...] = ()
    observations: tuple[Observation, ...] = ()
    """Of what is changed, so that neither is there without the other."""

    def __bool__(self) -> bool:
        """Whether there is anything to commit."""
        return self != Changes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The commit was refused: the store is at `version` now, so decide again."""

    version: int


class Store(Protocol):
    """State. One writer; the version moves with each commit, never with an observation."""

    def snapshot(self) -> FleetView:
        """Desired state and bindings at one version."""
        ...

    def commit(self, expected_version: int, changes: Changes) -> int | Stale:
        """The new version, or Stale when another commit came first. All of it or nothing."""
        ...

    def append(self, observations: Sequence[Observation]) -> None:
        """Add to the history; the version stays. Old rows beyond the stated limit go."""
        ...

    def decisions(self, service: ServiceName, limit: int) -> tuple[Decision, ...]:
        """The newest first."""
        ...

    def observations(self, subject: str, limit: int) -> tuple[Observation, ...]:
        """The newest first."""
        ...

    def newest_decisions(self, limit: int) -> tuple[Decision, ...]:
        """Of all services, the newest first."""
        ...

    def newest_observations(self, limit: int) -> tuple[Observation, ...]:
        """Of all subjects, the newest first."""
        ...

    def record_measured(self, measured: Sequence[Measured]) -> None:
        """Add measurements; the version stays. The newest MEASURED_KEPT of each recipe on each node are kept."""
        ...

    def measured(self) -> tuple[Measured, ...]:
        """All of them, the newest first."""
        ...

    def close(self) -> None:
        """Give the database back."""
        ...


class Runtime(Protocol):
    """The agents, all of them."""

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """The last report of each agent that is connected now."""
        ...

    def act(self, actions: Sequence[Action]) -> None:
        """Send each to its agent; one whose agent is away is dropped (the next pass asks again)."""
        ...

    def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """Pieces of a replica's log, the last `lines` first; raises Unavailable when its agent is away."""
        ...


class Doors(Protocol):
    """The gateways, all of them."""

    def push(self, table: RoutingTable) -> None:
        """Give every door the table; doors that come later get the newest one."""
        ...

    def observe(self) -> tuple[DoorReport, ...]:
        """The last report of each gateway that is connected now."""
        ...


class Spent(Protocol):
    """The ledger, as far as limits of money ask it. Asked about once a second of each scope that has such a limit."""

    def spent_micros(self, scope: Scope, since_s: float) -> int:
        """What it has charged of that scope since then (seconds since 1970), counter-entries taken off."""
        ...


class Models(Protocol):
    """Turns what a person names into a model card."""

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:
        """A card for a catalogue name, an absolute path or a hub id; raises NotFound, BadModelFile, WeightsError."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now_s(self) -> float:
        """Wall clock, seconds since 1970: for records."""
        ...

    def monotonic_s(self) -> float:
        """For durations."""
        ...
