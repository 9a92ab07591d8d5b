"""The gateway's line to control: takes tables, reports what it sees, dials again when control is away."""

import asyncio
from pathlib import Path
from time import perf_counter
from typing import Final

import structlog

from alliage.errors import LinkError
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import RoutingTable
from alliage.gateway.door import Door
from alliage.gateway.parts import lull
from alliage.link.line import DialledLine, dial
from alliage.link.messages import PROTOCOL, GatewayHello, GatewayReport, NewLeases, NewTable, Refused, UsageTaken

_log: Final = structlog.get_logger("alliage.gateway")
_DELAY_S: Final = 0.05
"""What is seen of several replicas or services at once is told together."""


class ControlLine:
    """Keeps a line to control for as long as `run` runs; the door's reporter."""

    def __init__(self, door: Door, path: Path, name: str) -> None:
        self._door = door
        self._path = path
        self._name = name
        self._line: DialledLine | None = None
        self._due: asyncio.TimerHandle | None = None
        self._counts_due = False
        self._told_held: frozenset[str] = frozenset()

    def table_taken(self) -> None:
        """Tell at once: control waits for it before it lets a replica go."""
        self._report_all()

    def holds(self, service: str) -> None:
        """Tell soon of the first: it may be that control has to start one."""
        if service not in self._told_held:
            self._counts_due = True
            self._report_soon()

    def reach_changed(self) -> None:
        """Tell soon: replicas of one machine are found out of reach one after the other."""
        self._report_soon()

    def pace_changed(self) -> None:
        """Tell soon, with what was seen of it."""
        self._counts_due = True
        self._report_soon()

    def emptied(self, replica: ReplicaId) -> None:
        """Tell at once of a replica that gets no more requests: control waits for that. Others become empty again and again."""
        if not self._door.knows_replica(replica):
            self._report()

    def _report_soon(self) -> None:
        if self._due is None and self._line is not None:
            self._due = self._door.loop.call_later(_DELAY_S, self._report)

    def _report_all(self) -> None:
        """Traffic too."""
        self._counts_due = True
        self._report()

    def _report(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        door = self._door
        if self._line is None or door.table is None:
            return
        try:
            self._line.send(self._report_now(door, door.table))
        except LinkError as error:
            self._lost(str(error))

    def _report_now(self, door: Door, table: RoutingTable) -> GatewayReport:
        """All that is seen; traffic only where it is due. What left the table is counted once more, then forgotten."""
        stats, services, replicas, use = door.stats, None, None, None
        if self._counts_due:
            self._counts_due = False
            self._told_held = frozenset(door.held.values())
            services, replicas = stats.services_now(door.held.values()), stats.replicas_now(door.board.paces())
            use = door.admission.use()
            stats.forget(services=table.routes, replicas=door.pools)
        return GatewayReport(
            table_version=table.version,
            in_flight=dict(door.flights.counts),
            counted_s=perf_counter(),
            traffic=services,
            replicas=replicas,
            unreachable=tuple(sorted(door.reach.unreachable)),
            use=use,
            leases=door.admission.leases_number,
        )

    async def run(self) -> None:
        """Until cancelled."""
        limits = self._door.limits
        wait_s, told = limits.redial_min_s, False
        try:
            while True:
                try:
                    line = await dial(self._path)
                except LinkError as error:
                    if not told:
                        _log.warning("control is away; the last table is kept", why=str(error))
                        told = True
                else:
                    if await self._talk(line):
                        wait_s, told = limits.redial_min_s, False
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, limits.redial_max_s)
        finally:
            self._lost("the gateway stops")

    async def _talk(self, line: DialledLine) -> bool:
        """Until the line ends; whether control gave a table."""
        beat = asyncio.create_task(self._beat())
        served = False
        try:
            line.send(GatewayHello(protocol=PROTOCOL, door=self._name))
            self._line = line
            self._door.control_connected = True
            self._door.teller.begin(line.send)
            while (message := await line.receive()) is not None:
                if isinstance(message, NewTable):
                    served = True
                    self._door.take_table(message.table)
                elif isinstance(message, NewLeases):
                    self._door.admission.take_leases(message.number, message.leases, self._door.reach.unreachable)
                    self._report_all()
                elif isinstance(message, UsageTaken):
                    self._door.teller.hear(message)
                elif isinstance(message, Refused):
                    _log.error("control refuses this gateway", why=message.why)
                    return False
        except LinkError as error:
            _log.warning("the line to control broke", why=str(error))
        finally:
            beat.cancel()
            self._lost("")
            line.close()
        return served

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._door.limits.heartbeat_s)
            await lull(self._door.flights)
            self._report_all()

    def _lost(self, why: str) -> None:
        if self._line is not None and why:
            _log.info("no line to control", why=why)
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._line = None
        self._door.teller.lost()
        self._door.control_connected = False
        self._door.admission.control_lost()
