"""One rehearsed node as control knows it: what runs there, and what has been made to happen to it."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Final

from alliage.control.observed import EngineState, ReplicaReport
from alliage.fleet.ids import DeviceId, ReplicaId
from alliage.fleet.nodes import Node
from alliage.link.line import DialledLine
from alliage.link.messages import AgentReport
from alliage.rehearsal.fleet_file import RehearsedNode

STOPPED_TOLD_S: Final = 3.0


@dataclass(slots=True, eq=False)
class RehearsedAgent:
    """One node as control knows it."""

    rehearsed: RehearsedNode
    changed: asyncio.Event
    reports: dict[ReplicaId, ReplicaReport]
    ready_since_s: dict[ReplicaId, float]
    stopped_since_s: dict[ReplicaId, float]
    devices_of: dict[ReplicaId, frozenset[DeviceId]] = field(default_factory=dict)
    lost: set[DeviceId] = field(default_factory=set)
    line: DialledLine | None = None
    is_dead: bool = False
    is_silent: bool = False
    refuses: bool = False
    slow: float = 1.0

    @property
    def node(self) -> Node:
        """As it is now, without the devices that it lost."""
        node = self.rehearsed.node
        return replace(node, devices=tuple(each for each in node.devices if each.id not in self.lost))

    def revive(self) -> None:
        """As it was at first, with nothing that ran there."""
        self.reports.clear()
        self.ready_since_s.clear()
        self.stopped_since_s.clear()
        self.lost.clear()
        self.is_dead = self.is_silent = self.refuses = False
        self.slow = 1.0
        self.changed.set()

    def put(self, report: ReplicaReport) -> None:
        """A replica is so now."""
        was = self.reports.get(report.replica)
        if report.state is not EngineState.READY:
            self.ready_since_s.pop(report.replica, None)
        elif was is None or was.state is not EngineState.READY:
            self.ready_since_s[report.replica] = time.monotonic()
        if report.state is EngineState.STOPPED:
            self.stopped_since_s.setdefault(report.replica, time.monotonic())
        self.reports[report.replica] = report
        self.changed.set()

    def whole(self) -> AgentReport:
        """All that there is to tell; what was told to be stopped for a while is forgotten."""
        now_s = time.monotonic()
        for key, since_s in tuple(self.stopped_since_s.items()):
            if self.reports[key].state is not EngineState.STOPPED:
                del self.stopped_since_s[key]
            elif now_s - since_s > STOPPED_TOLD_S:
                del self.stopped_since_s[key], self.reports[key]
        return AgentReport(
            node=self.node,
            free_bytes={},
            replicas={
                key: replace(report, ready_for_s=now_s - self.ready_since_s.get(key, now_s))
                for key, report in self.reports.items()
            },
        )
