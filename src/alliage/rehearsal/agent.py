"""The agent of all rehearsed nodes: to control each node is one agent on a line of its own; behind them stands one process.

It fetches no weights and starts no process: a replica is opened in the process of rehearsed engines, which goes on
when this one dies, and is adopted by the next.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, assert_never

import structlog

from alliage.control.actions import StartReplica
from alliage.control.observed import OVER, EngineState, ReplicaReport
from alliage.errors import BadInput, LinkError, NotFound
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId
from alliage.link.line import DialledLine, Line, dial
from alliage.link.messages import (
    PROTOCOL,
    AgentHello,
    FromControl,
    LeaveLog,
    LogPiece,
    NewLeases,
    NewTable,
    ReadLog,
    Refused,
    Sleep,
    Start,
    Stop,
    UsageTaken,
    Wake,
)
from alliage.rehearsal.engines import EnginesLine
from alliage.rehearsal.faults import Ask, Calamity, listen_for_faults
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.rehearsal.messages import Bed, Fault, FaultKind, FromEngines, Lag, Open, Shut, ToEngines, Told
from alliage.rehearsal.node import RehearsedAgent
from alliage.rehearsal.pacing import Unpaced, pace_of_replica
from alliage.rehearsal.replica import LAG_S_MAX

REDIAL_S: Final = 1.0
REPORT_EVERY_S: Final = 1.0
REPORT_GAP_S: Final = 0.05
FACTOR_MAX: Final = 1000.0
NAMED_MAX: Final = 10
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The deadlines of an engine that hangs, as real agents keep them: until it counts as ill, and then until it is ended."""

    hung_s: float
    ill_s: float


async def run_rehearsal(
    *,
    control: Path,
    engines: Path,
    faults: Path,
    nodes: Sequence[RehearsedNode],
    host: str,
    health: Health,
    stop: asyncio.Event,
) -> None:
    """Be the agents of `nodes` until `stop`.

    `control` and `engines` are the Unix sockets of the two processes behind, `faults` is our own for calamities.
    """
    hall = _Hall(engines, nodes, host, health)
    server = await listen_for_faults(faults, hall.suffer)
    tasks = [asyncio.create_task(hall.talk_to_engines())]
    tasks += [asyncio.create_task(hall.talk_to_control(name, control)) for name in hall.nodes]
    waiting = asyncio.ensure_future(_wait(stop))
    try:
        await asyncio.wait((*tasks, waiting), return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # a bug: they never end by themselves
    finally:
        server.close()
        for task in (*tasks, waiting):
            task.cancel()
        await asyncio.wait((*tasks, waiting))


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


class _Hall:
    """The rehearsed nodes, and the line to their engines."""

    def __init__(self, engines: Path, nodes: Sequence[RehearsedNode], host: str, health: Health) -> None:
        self.nodes: Mapping[NodeId, RehearsedAgent] = {
            each.node.id: RehearsedAgent(each, asyncio.Event(), {}, {}, {}) for each in nodes
        }
        self._engines_path = engines
        self._host = host
        self._health = health
        self._engines: EnginesLine | None = None
        self._node_of: dict[ReplicaId, NodeId] = {}
        self._unclaimed: dict[ReplicaId, Told] = {}
        """What runs from before this agent, until control says which node it belongs to."""
        self._adopted = asyncio.Event()

    async def talk_to_engines(self) -> None:
        """Dial the engines again and again; when they are gone, so are all replicas. Never returns."""
        while True:
            with contextlib.suppress(OSError, LinkError):
                reader, writer = await asyncio.open_unix_connection(str(self._engines_path))
                line: EnginesLine = Line(reader, writer, FromEngines)
                self._engines = line
                try:
                    while (message := await line.receive()) is not None:
                        self._hear(message)
                finally:
                    line.close()
                    self._engines = None
                    self._lose_all()
            await asyncio.sleep(REDIAL_S / 2)

    async def talk_to_control(self, name: NodeId, control: Path) -> None:
        """Dial control again and again as one node, and speak with it; never returns."""
        await self._adopted.wait()
        agent = self.nodes[name]
        while True:
            if not agent.is_dead:
                with contextlib.suppress(LinkError):
                    await self._converse(agent, await dial(control))
            await asyncio.sleep(REDIAL_S)

    async def _converse(self, agent: RehearsedAgent, line: DialledLine) -> None:
        agent.line = line
        line.send(AgentHello(protocol=PROTOCOL, node=agent.node))
        reporting = asyncio.create_task(self._report(agent, line))
        reporting.add_done_callback(lambda _: line.close())
        try:
            while (message := await line.receive()) is not None:
                self._obey(agent, message, line)
        finally:
            reporting.cancel()
            agent.line = None
            line.close()

    @staticmethod
    async def _report(agent: RehearsedAgent, line: DialledLine) -> None:
        with contextlib.suppress(LinkError):
            while True:
                agent.changed.clear()
                if not agent.is_silent:
                    line.send(agent.whole())
                await asyncio.sleep(REPORT_GAP_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(agent.changed.wait(), REPORT_EVERY_S)

    def suffer(self, ask: Ask) -> str:
        """Let something happen; what was done. Raises NotFound or BadInput."""
        if not 0 < ask.factor <= FACTOR_MAX:
            raise BadInput(f"a factor of {ask.factor:g} makes no sense", remedy=f"above 0, at most {FACTOR_MAX:g}")
        if (node := self.nodes.get(NodeId(ask.target))) is not None:
            return self._suffer_node(node, ask)
        if (name := self._node_of.get(ReplicaId(ask.target))) is not None:
            return self._suffer_replica(self.nodes[name], ask)
        for node in self.nodes.values():
            if any(device.id == ask.target for device in node.rehearsed.node.devices):
                return self._lose(node, DeviceId(ask.target), ask.kind)
        if ask.target in (sites := sorted({node.rehearsed.node.site for node in self.nodes.values()})):
            here = (node for node in self.nodes.values() if node.rehearsed.node.site == ask.target)
            return "; ".join(self._suffer_node(node, ask) for node in here)
        known, places = ", ".join(list(self.nodes)[:NAMED_MAX]), ", ".join(sites[:NAMED_MAX])
        raise NotFound(
            f"nothing rehearsed is called {ask.target!r}",
            remedy=f"nodes: {known}; sites: {places}; or a replica or device of one",
        )

    def _suffer_node(self, node: RehearsedAgent, ask: Ask) -> str:
        name = node.rehearsed.node.id
        match ask.kind:
            case Calamity.DIE:
                node.is_dead = True
                self._cut_all(node)
                if node.line is not None:
                    node.line.close()
                return f"node {name} died with {_counted(len(node.reports))}"
            case Calamity.HANG:
                node.is_silent = True
                self._fault_all(node, FaultKind.HANG, 1.0)
                return f"node {name} hangs with {len(node.reports)} replicas"
            case Calamity.SLOW:
                node.slow = ask.factor
                self._fault_all(node, FaultKind.SLOW, ask.factor)
                return f"all on node {name} takes {ask.factor:g} times as long"
            case Calamity.REFUSE:
                node.refuses = True
                return f"nothing starts on node {name} any more"
            case Calamity.REVIVE:
                self._cut_all(node)
                node.revive()
                return f"node {name} is back, empty"
            case Calamity.LOSE:
                raise BadInput(
                    f"{name} is a node, and only devices are lost", remedy="name a device, or let the node die"
                )

    def _suffer_replica(self, node: RehearsedAgent, ask: Ask) -> str:
        kinds = {Calamity.DIE: FaultKind.DIE, Calamity.HANG: FaultKind.HANG, Calamity.SLOW: FaultKind.SLOW}
        kind, report = kinds.get(ask.kind), node.reports.get(ReplicaId(ask.target))
        if kind is None:
            raise BadInput(f"{ask.target} is a replica: it can {', '.join(kinds)}", remedy="or name its node")
        if report is None or report.state in OVER:
            raise BadInput(f"{ask.target} does not run", remedy="`alliage replicas` says which do")
        self._send(Fault(replica=report.replica, kind=kind, factor=ask.factor))
        if kind is FaultKind.HANG:
            self._probe_in_vain(node, report)
        return f"{ask.target} on node {node.rehearsed.node.id}: {ask.kind}"

    def _probe_in_vain(self, node: RehearsedAgent, report: ReplicaReport) -> None:
        """What a real agent would find out by its probes: it is ill, and after long it is ended."""
        loop = asyncio.get_running_loop()
        loop.call_later(self._health.hung_s, self._tell_ill, node, report)
        loop.call_later(self._health.hung_s + self._health.ill_s, self._end_ill, node, report)

    def _tell_ill(self, node: RehearsedAgent, hung: ReplicaReport) -> None:
        now = node.reports.get(hung.replica)
        if now is not None and now.attempt == hung.attempt and now.state is EngineState.READY:
            node.put(replace(now, state=EngineState.ILL))

    def _end_ill(self, node: RehearsedAgent, hung: ReplicaReport) -> None:
        now = node.reports.get(hung.replica)
        if now is not None and now.attempt == hung.attempt and now.state is EngineState.ILL:
            self._send(Fault(replica=hung.replica, kind=FaultKind.DIE))

    def _lose(self, node: RehearsedAgent, device: DeviceId, kind: Calamity) -> str:
        if kind is not Calamity.LOSE:
            raise BadInput(f"{device} is a device: it can be lost", remedy=f"alliage rehearse lose {device}")
        node.lost.add(device)
        gone = [key for key, devices in node.devices_of.items() if device in devices and key in node.reports]
        for key in gone:
            self._send(Fault(replica=key, kind=FaultKind.DIE))
        node.changed.set()
        return f"{device} is gone, and with it {_counted(len(gone))}"

    def _cut_all(self, node: RehearsedAgent) -> None:
        for key in node.reports:
            self._send(Shut(replica=key))

    def _fault_all(self, node: RehearsedAgent, kind: FaultKind, factor: float) -> None:
        for key, report in node.reports.items():
            if report.state not in OVER:
                self._send(Fault(replica=key, kind=kind, factor=factor))

    def _obey(self, agent: RehearsedAgent, message: FromControl, line: DialledLine) -> None:
        match message:
            case Start(order=order):
                self._start(agent, order)
            case Stop(order=order):
                self._stop(agent, order.replica)
            case Sleep(order=order):
                self._bed(agent, order.replica, wake=False)
            case Wake(order=order):
                self._bed(agent, order.replica, wake=True)
            case ReadLog(request=request):
                line.send(
                    LogPiece(request=request, text="a rehearsed engine: it keeps time and logs nothing\n", end=True)
                )
            case LeaveLog() | NewTable() | NewLeases() | UsageTaken():
                return
            case Refused(why=why):
                _log.error("control refused a rehearsed node", node=agent.rehearsed.node.id, why=why)
            case _:
                assert_never(message)

    def _start(self, agent: RehearsedAgent, order: StartReplica) -> None:
        key, told = order.replica.id, agent.reports.get(order.replica.id)
        if told is not None and (told.attempt >= order.attempt or told.state not in OVER):
            return
        self._node_of[key] = agent.rehearsed.node.id
        agent.devices_of[key] = frozenset(binding.device for binding in order.replica.bindings)
        if agent.refuses:
            why = "it refused to start (rehearsed fault)"
            agent.put(_report_of(key, order.attempt, EngineState.ENDED, why=why))
            return
        if (runs := self._unclaimed.pop(key, None)) is not None and runs.attempt >= order.attempt:
            self._hear(runs)
            return
        like = agent.rehearsed.likes.get(order.replica.recipe.chip)
        paced = Unpaced(why="this node has no such chip") if like is None else pace_of_replica(order, like)
        if isinstance(paced, Unpaced):
            agent.put(_report_of(key, order.attempt, EngineState.ENDED, why=paced.why))
            return
        speed = agent.rehearsed.speeds.get(order.replica.recipe.chip, 1.0)
        opening = Open(
            replica=key,
            attempt=order.attempt,
            host=self._host,
            key=secrets.token_urlsafe(32),
            model=order.replica.service,
            context_tokens=order.replica.recipe.context_tokens,
            pace=paced,
            slow=agent.slow / speed,
        )
        agent.put(_report_of(key, order.attempt, EngineState.STARTING))
        if not self._send(opening):
            agent.put(_report_of(key, order.attempt, EngineState.ENDED, why="the process of rehearsed engines is away"))

    def _stop(self, agent: RehearsedAgent, key: ReplicaId) -> None:
        self._node_of[key] = agent.rehearsed.node.id
        self._unclaimed.pop(key, None)
        self._send(Shut(replica=key))
        attempt = agent.reports[key].attempt if key in agent.reports else 0
        agent.put(_report_of(key, attempt, EngineState.STOPPED))

    def _bed(self, agent: RehearsedAgent, key: ReplicaId, *, wake: bool) -> None:
        """Let one sleep or wake; what runs from before this agent belongs to the node that is told of it."""
        self._node_of[key] = agent.rehearsed.node.id
        if (runs := self._unclaimed.pop(key, None)) is not None:
            self._hear(runs)
        if key not in agent.reports:
            agent.put(_report_of(key, 0, EngineState.STOPPED))
        else:
            self._send(Bed(replica=key, wake=wake))

    def _hear(self, message: FromEngines) -> None:
        match message:
            case Lag(late_s=late_s):
                self._adopted.set()
                if late_s > LAG_S_MAX:
                    _log.warning("rehearsed engines are late: what is seen now is not their pace", late_s=late_s)
            case Told(replica=key):
                node = self._node_of.get(key)
                if node is None:
                    self._unclaimed[key] = message
                    return
                agent = self.nodes[node]
                if agent.is_dead:
                    return
                was = agent.reports.get(key)
                if was is None or was.state is not EngineState.STOPPED or message.attempt > was.attempt:
                    agent.put(_of_told(message))
            case _:
                assert_never(message)

    def _lose_all(self) -> None:
        """The process of the engines is gone, and with it all of them."""
        self._unclaimed.clear()
        for agent in self.nodes.values():
            for report in tuple(agent.reports.values()):
                if report.state not in OVER:
                    why = "the process of rehearsed engines died"
                    agent.put(_report_of(report.replica, report.attempt, EngineState.ENDED, why=why))

    def _send(self, message: ToEngines) -> bool:
        if self._engines is None:
            return False
        try:
            self._engines.send(message)
        except LinkError:
            return False
        return True


def _of_told(told: Told) -> ReplicaReport:
    report = _report_of(told.replica, told.attempt, told.state, why=told.why)
    return report if told.state in OVER else replace(report, host=told.host, port=told.port, key=told.key)


def _report_of(key: ReplicaId, attempt: int, state: EngineState, *, why: str = "") -> ReplicaReport:
    return ReplicaReport(
        replica=key,
        attempt=attempt,
        state=state,
        host="",
        port=0,
        key="",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=0.0,
        ended_why=why,
        pid=0,
        resident_bytes=0,
    )


def _counted(replicas: int) -> str:
    return "1 replica" if replicas == 1 else f"{replicas} replicas"
