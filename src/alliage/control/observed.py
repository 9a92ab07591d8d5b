"""What edges report: nodes by their agents, doors by the gateways. Facts in, never decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.nodes import Node
from alliage.fleet.traffic import ReplicaTraffic, Traffic


class EngineState(StrEnum):
    """`ended`: the process ended by itself or could not start; `stopped`: it ended because we asked.

    `asleep`: it holds no memory of its devices; told until it is ready again.
    """

    FETCHING = "fetching"
    STARTING = "starting"
    READY = "ready"
    ILL = "ill"
    ASLEEP = "asleep"
    ENDED = "ended"
    STOPPED = "stopped"


OVER: Final = frozenset({EngineState.ENDED, EngineState.STOPPED})
"""Nothing runs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReport:
    """One replica as its agent sees it. `attempt` counts starts, so that an old end is not taken for a new one."""

    replica: ReplicaId
    attempt: int
    state: EngineState
    host: str
    port: int
    key: str
    """Made by the agent; known to it, control and the gateway only; never stored or logged."""
    fetched_bytes: int
    total_bytes: int
    ready_for_s: float
    """Seconds it has been ready without a break, 0 when it is not."""
    ended_why: str
    """For `ended`: a sentence, with the engine's last words where it had any."""
    pid: int
    """0 when nothing runs."""
    resident_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """A node as its agent last told. `heard_s` is control's monotonic time of hearing it."""

    node: Node
    free_bytes: Mapping[DeviceId, int]
    replicas: Mapping[ReplicaId, ReplicaReport]
    heard_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReport:
    """A gateway process: the table it works by, how many requests each replica is answering for it, and what it saw."""

    door: str
    table_version: int
    in_flight: Mapping[ReplicaId, int]
    heard_s: float
    counted_s: float = 0.0
    """When traffic was counted, by the gateway's own clock: the window between two reports is the difference."""
    traffic: Mapping[ServiceName, Traffic] = field(default_factory=dict)
    """Of the services in its table. Sums: `since` an earlier report's is what was added."""
    replicas: Mapping[ReplicaId, ReplicaTraffic] = field(default_factory=dict)
    """Of the replicas that it asked and that are in its table or still busy."""
    unreachable: frozenset[ReplicaId] = frozenset()
    """Replicas of its table that it cannot reach now. It tries those that are doubted, and those that failed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that happened, appended to the store's history. `what` is a short sentence for people."""

    at_s: float
    subject: str
    """A node, service or replica id; or a scope, as `tenant:acme`."""
    what: str
