"""The messages on the line, one tagged union a direction. Structs because msgspec decodes unions of them only."""

from collections.abc import Mapping
from typing import Final

import msgspec

from alliage.control.actions import StartReplica, StopReplica
from alliage.control.observed import ReplicaReport
from alliage.fleet.ids import DeviceId, ReplicaId
from alliage.fleet.nodes import Node
from alliage.fleet.routing import RoutingTable

PROTOCOL: Final = 1
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
    """Sent when a table was taken, when a replica's in-flight count reaches 0, and as the heartbeat."""

    table_version: int
    in_flight: Mapping[ReplicaId, int]


class NewTable(msgspec.Struct, frozen=True, kw_only=True, tag="new_table"):
    table: RoutingTable


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The listener will not talk to this dialler; the connection closes after it."""

    why: str


ToControl = AgentHello | AgentReport | LogPiece | GatewayHello | GatewayReport
FromControl = Start | Stop | ReadLog | LeaveLog | NewTable | Refused
