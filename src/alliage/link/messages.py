"""The messages on the line, one tagged union a direction. Structs because msgspec decodes unions of them only."""

from collections.abc import Mapping
from typing import Final

import msgspec

from alliage.control.actions import SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.observed import ReplicaReport
from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.limits import Lease, Scope, Use
from alliage.fleet.nodes import Node
from alliage.fleet.routing import RoutingTable
from alliage.fleet.traffic import ReplicaTraffic, Traffic

PROTOCOL: Final = 5
"""Moves when messages change in a way that an older side cannot read; a hello with another one is refused. So it does with `entries.FORMAT`."""


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
    use: Mapping[Scope, Use] | None = None
    """Of each scope that has limits and was used, and of each service's slots; whole, or None: as told last."""
    leases: int = 0
    """The number of the leases that it obeys, 0 before the first; told at once when it took others."""


class UsageTold(msgspec.Struct, frozen=True, kw_only=True, tag="usage_told"):
    """A stretch of one journal as it was written, from the place `at`; it is told again until it was taken.

    It may end in the middle of an entry: what was not taken comes again with what is behind it.
    """

    journal: str
    number: int
    """Told back with the answer."""
    at: int
    names: tuple[bytes, ...] | None
    """The payloads of the segment's names before; None where the stretch that was told last ended there."""
    entries: bytes


class NewTable(msgspec.Struct, frozen=True, kw_only=True, tag="new_table"):
    table: RoutingTable


class NewLeases(msgspec.Struct, frozen=True, kw_only=True, tag="new_leases"):
    """The gateway's shares of all limits, whole; a scope that is not in it is not limited. `service:NAME` shares its slots."""

    leases: Mapping[Scope, Lease]
    number: int = 0
    """Told back once they are obeyed."""


class UsageTaken(msgspec.Struct, frozen=True, kw_only=True, tag="usage_taken"):
    """The ledger has all that the journal told up to there, so many records in this stretch: it may be forgotten."""

    journal: str
    number: int
    upto: int
    records: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The listener will not talk to this dialler; the connection closes after it."""

    why: str


ToControl = AgentHello | AgentReport | LogPiece | GatewayHello | GatewayReport | UsageTold
FromControl = Start | Stop | Sleep | Wake | ReadLog | LeaveLog | NewTable | NewLeases | UsageTaken | Refused
