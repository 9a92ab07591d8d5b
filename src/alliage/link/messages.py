"""The messages on the line, one tagged union a direction. Structs because msgspec decodes unions of them only."""

from collections.abc import Mapping
from typing import Final

import msgspec

from alliage.control.actions import SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.observed import ReplicaReport
from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.nodes import Node
from alliage.fleet.routing import RoutingTable
from alliage.fleet.traffic import ReplicaTraffic, Traffic

PROTOCOL: Final = 2
"""Moves when messages change in a way that an older side cannot read; a hello with another one is refused."""


class AgentHello(msgspec.Struct, frozen=True, kw_only=True, tag="agent_hello"):
    """First message of an agent."""

    protocol: int
    node: Node


class AgentReport(msgspec.Struct, frozen=True, kw_only=True, tag="agent_report"):
    """All that an agent sees, whole each time; sent on a change and as the heartbeat."""

    node: Node
    free_bytes: Mapping[DeviceId, int]
    replicas: Mapping[ReplicaId, ReplicaReport]


class LogPiece(msgspec.Struct, frozen=True, kw_only=True, tag="log_piece"):
    """A piece of the log asked for by `request`; `end` closes it, `error` says why when it failed."""

    request: int
    text: str
    end: bool
    error: str = ""


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    order: StartReplica


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    order: StopReplica


class Sleep(msgspec.Struct, frozen=True, kw_only=True, tag="sleep"):
    order: SleepReplica


class Wake(msgspec.Struct, frozen=True, kw_only=True, tag="wake"):
    order: WakeReplica


class ReadLog(msgspec.Struct, frozen=True, kw_only=True, tag="read_log"):
    """Send the last `lines` of a replica's log as LogPieces, and go on with what comes when `follow`."""

    request: int
    replica: ReplicaId
    lines: int
    follow: bool


class LeaveLog(msgspec.Struct, frozen=True, kw_only=True, tag="leave_log"):
    """Nobody reads `request` any more."""

    request: int


class GatewayHello(msgspec.Struct, frozen=True, kw_only=True, tag="gateway_hello"):
    """First message of a gateway process."""

    protocol: int
    door: str


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True, tag="gateway_report"):
    """The heartbeat; also sent at once on a change that control acts on.

    A table was taken, a replica's in-flight count reached 0, the first request waits for a service, another replica can or
    cannot be reached.

    `traffic` and `replicas` are whole (services of the table; replicas that were asked), or None: as told last. A gateway
    that answers much says often that a replica is empty, and would count and send all of them each time.
    """

    table_version: int
    in_flight: Mapping[ReplicaId, int]
    counted_s: float = 0.0
    """When traffic was counted, by the gateway's own clock: of two, only the difference means something."""
    traffic: Mapping[ServiceName, Traffic] | None = None
    replicas: Mapping[ReplicaId, ReplicaTraffic] | None = None
    unreachable: tuple[ReplicaId, ...] = ()
    """Replicas of the table that this gateway cannot reach now, sorted."""


class NewTable(msgspec.Struct, frozen=True, kw_only=True, tag="new_table"):
    table: RoutingTable


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The listener will not talk to this dialler; the connection closes after it."""

    why: str


ToControl = AgentHello | AgentReport | LogPiece | GatewayHello | GatewayReport
FromControl = Start | Stop | Sleep | Wake | ReadLog | LeaveLog | NewTable | Refused
