"""Control's side of the gateways: the newest table to each, and what each last said. It decides nothing."""

import time
from collections.abc import Callable, Mapping
from typing import TypedDict

import structlog

from alliage.control.observed import DoorReport
from alliage.errors import LinkError
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.routing import RoutingTable
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.link.leases import Leases
from alliage.link.line import AnsweredLine
from alliage.link.messages import GatewayHello, GatewayReport, NewTable, ToControl, UsageTold
from alliage.link.taking import Ledger, UsageTaker

_log = structlog.get_logger(__name__)


class _Counted(TypedDict):
    counted_s: float
    traffic: Mapping[ServiceName, Traffic]
    replicas: Mapping[ReplicaId, ReplicaTraffic]


class DoorHub:
    """The gateways as `control.ports.Doors`. `on_change` is called when one says something new, comes or goes."""

    def __init__(
        self,
        *,
        on_change: Callable[[], None],
        monotonic_s: Callable[[], float] = time.monotonic,
        leases: Leases | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """`leases` deals limits out; without, none are sent and nothing is limited that needs a lease.

        Without a `ledger` nothing that is told of usage is taken: the gateways keep it.
        """
        self._leases = leases
        self._on_change = on_change
        self._ledger = ledger
        self._monotonic_s = monotonic_s
        self._lines: dict[str, AnsweredLine] = {}
        self._reports: dict[str, DoorReport] = {}
        self._table: RoutingTable | None = None

    async def answer(self, hello: GatewayHello, line: AnsweredLine) -> None:
        """Serve one gateway's line to its end. A later line of the same door takes its place."""
        door = hello.door
        if (before := self._lines.get(door)) is not None:
            before.close()
            self._reports.pop(door, None)
            if self._leases is not None:
                self._leases.leave(door)
        self._lines[door] = line
        if self._leases is not None:
            self._leases.join(door, line)
        self._give_table(door)
        taker = None if self._ledger is None else UsageTaker(self._ledger, line, door)
        try:
            while (message := await line.receive()) is not None:
                if not isinstance(message, UsageTold):
                    self._hear(door, line, message)
                elif taker is not None:
                    taker.hear(message)
        except LinkError as error:
            _log.warning("a gateway's line broke", door=door, error=str(error))
        finally:
            if taker is not None:
                taker.close()
            self._lose(door, line)

    def push(self, table: RoutingTable) -> None:
        """Give every door the table, and keep it for those that come."""
        self._table = table
        if self._leases is not None:
            self._leases.limit(table)
        for door in tuple(self._lines):
            self._give_table(door)

    def observe(self) -> tuple[DoorReport, ...]:
        """The last report of each gateway that is connected now and has reported."""
        return tuple(self._reports.values())

    def _give_table(self, door: str) -> None:
        if self._table is None:
            return
        try:
            self._lines[door].send(NewTable(table=self._table))
        except LinkError as error:
            _log.warning("a table was not sent", door=door, error=str(error))

    def _hear(self, door: str, line: AnsweredLine, message: ToControl) -> None:
        if not isinstance(message, GatewayReport):
            raise LinkError(f"a gateway said {type(message).__name__}")
        if self._lines.get(door) is not line:
            return
        before = self._reports.get(door)
        report = DoorReport(
            door=door,
            table_version=message.table_version,
            in_flight=message.in_flight,
            heard_s=self._monotonic_s(),
            unreachable=frozenset(message.unreachable),
            **_counted(message, before),
        )
        self._reports[door] = report
        if self._leases is not None:
            self._leases.hear(door, message.use, message.leases)
        if before is None or _news(before) != _news(report):
            self._on_change()

    def _lose(self, door: str, line: AnsweredLine) -> None:
        if self._lines.get(door) is line:
            del self._lines[door]
            self._reports.pop(door, None)
            if self._leases is not None:
                self._leases.leave(door)
            self._on_change()


def _counted(message: GatewayReport, before: DoorReport | None) -> _Counted:
    """What it counted, or what it had told last."""
    if message.traffic is not None and message.replicas is not None:
        return _Counted(counted_s=message.counted_s, traffic=message.traffic, replicas=message.replicas)
    if before is None:
        return _Counted(counted_s=message.counted_s, traffic={}, replicas={})
    return _Counted(counted_s=before.counted_s, traffic=before.traffic, replicas=before.replicas)


def _news(report: DoorReport) -> tuple[object, ...]:
    """What the loop acts on, not each count.

    The table a door works by, which replicas are idle there, out of its reach or slow, for which services requests wait.
    """
    busy = frozenset(name for name, count in report.in_flight.items() if count)
    waited_for = frozenset(name for name, traffic in report.traffic.items() if traffic.held)
    slow = frozenset(name for name, seen in report.replicas.items() if seen.is_slow)
    return report.table_version, busy, waited_for, report.unreachable, slow
