"""Actions: what control asks of an agent. Each may be repeated without harm."""

from dataclasses import dataclass

from alliage.catalog.records import ModelCard
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.replicas import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReplica:
    """Fetch the model if it is not there, then start its engine; `attempt` is `replica.starts + 1`."""

    node: NodeId
    replica: Replica
    model: ModelCard
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReplica:
    """Ask the engine to end, and end it by force after `grace_s`; forget the replica once control has heard of it."""

    node: NodeId
    replica: ReplicaId
    grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepReplica:
    """Its engine gives its devices' memory back and keeps its weights in the node's; one that cannot is ended."""

    node: NodeId
    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeReplica:
    """It takes its devices' memory again; nothing is done where it is awake."""

    node: NodeId
    replica: ReplicaId


Action = StartReplica | StopReplica | SleepReplica | WakeReplica
