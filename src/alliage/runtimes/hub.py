"""Control's side of the agents: what they last said, and orders to them. It decides nothing."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from alliage.control.actions import Action, SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.observed import NodeReport, ReplicaReport
from alliage.errors import LinkError, NotFound, Unavailable
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.link.line import AnsweredLine
from alliage.link.messages import (
    AgentHello,
    AgentReport,
    LeaveLog,
    LogPiece,
    ReadLog,
    Sleep,
    Start,
    Stop,
    ToControl,
    Wake,
)

LOG_PIECES_MAX: Final = 1024
"""Of one reader that does not read: then its log ends."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Connected:
    """One agent on its line."""

    line: AnsweredLine
    report: NodeReport | None = None
    logs: dict[int, asyncio.Queue[LogPiece]] = field(default_factory=dict)


class AgentHub:
    """The agents as `control.ports.Runtime`. `on_change` is called when one says something new, comes or goes."""

    def __init__(self, *, on_change: Callable[[], None], monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._on_change = on_change
        self._monotonic_s = monotonic_s
        self._agents: dict[NodeId, _Connected] = {}
        self._requests = itertools.count(1)

    async def answer(self, hello: AgentHello, line: AnsweredLine) -> None:
        """Serve one agent's line to its end. A later line of the same node takes its place."""
        node = hello.node.id
        agent = _Connected(line=line)
        if (before := self._agents.get(node)) is not None:
            before.line.close()
        self._agents[node] = agent
        try:
            while (message := await line.receive()) is not None:
                self._hear(agent, message)
        except LinkError as error:
            _log.warning("an agent's line broke", node=node, error=str(error))
        finally:
            self._lose(node, agent)

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """The last report of each agent that is connected now and has reported."""
        return {node: agent.report for node, agent in self._agents.items() if agent.report is not None}

    def act(self, actions: Sequence[Action]) -> None:
        """Send each to its agent; dropped when the agent is away."""
        for action in actions:
            agent = self._agents.get(action.node)
            if agent is None:
                continue
            try:
                agent.line.send(_order(action))
            except LinkError as error:
                _log.warning("an order was not sent", node=action.node, error=str(error))

    async def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncGenerator[str, None]:
        """Pieces of a replica's log; raises Unavailable when its agent is away or goes, NotFound without a log."""
        agent = self._agents.get(node)
        if agent is None:
            raise Unavailable(f"the agent of node {node} is away", remedy="its log can be read once it is back")
        request = next(self._requests)
        pieces = agent.logs[request] = asyncio.Queue(LOG_PIECES_MAX)
        try:
            _send_or_raise(agent, ReadLog(request=request, replica=replica, lines=lines, follow=follow))
            while True:
                piece = await pieces.get()
                if piece.error:
                    raise _log_error(node, piece.error, self._agents.get(node) is agent)
                yield piece.text
                if piece.end:
                    return
        finally:
            if agent.logs.pop(request, None) is not None and self._agents.get(node) is agent:
                _send_quietly(agent, LeaveLog(request=request))

    def _hear(self, agent: _Connected, message: ToControl) -> None:
        if isinstance(message, AgentReport):
            self._take_report(agent, message)
        elif isinstance(message, LogPiece):
            _take_log(agent, message)
        else:
            raise LinkError(f"an agent said {type(message).__name__}")

    def _take_report(self, agent: _Connected, said: AgentReport) -> None:
        before = agent.report
        agent.report = NodeReport(
            node=said.node, free_bytes=said.free_bytes, replicas=said.replicas, heard_s=self._monotonic_s()
        )
        if before is None or _news(before) != _news(agent.report):
            self._on_change()

    def _lose(self, node: NodeId, agent: _Connected) -> None:
        for request, pieces in agent.logs.items():
            _put(pieces, LogPiece(request=request, text="", end=True, error="its agent went away"))
        if self._agents.get(node) is agent:
            del self._agents[node]
            self._on_change()


def _news(report: NodeReport) -> tuple[object, ...]:
    """What of a report is worth waking the loop for: not what moves all the time."""
    return report.node, {name: _still(replica) for name, replica in report.replicas.items()}


def _still(report: ReplicaReport) -> ReplicaReport:
    return replace(report, fetched_bytes=0, total_bytes=0, ready_for_s=0.0, resident_bytes=0)


def _order(action: Action) -> Start | Stop | Sleep | Wake:
    match action:
        case StartReplica():
            return Start(order=action)
        case StopReplica():
            return Stop(order=action)
        case SleepReplica():
            return Sleep(order=action)
        case WakeReplica():
            return Wake(order=action)


def _take_log(agent: _Connected, piece: LogPiece) -> None:
    pieces = agent.logs.get(piece.request)
    if pieces is not None:
        _put(pieces, piece)


def _put(pieces: asyncio.Queue[LogPiece], piece: LogPiece) -> None:
    """A reader that is far behind loses the rest, and hears so."""
    if pieces.full():
        pieces.get_nowait()
        piece = LogPiece(request=piece.request, text="", end=True, error="the reader is too slow")
    pieces.put_nowait(piece)


def _log_error(node: NodeId, why: str, is_here: bool) -> NotFound | Unavailable:  # noqa: FBT001
    if is_here:
        return NotFound(why)
    return Unavailable(f"the agent of node {node} went away", remedy="read the log again once it is back")


def _send_or_raise(agent: _Connected, message: ReadLog) -> None:
    try:
        agent.line.send(message)
    except LinkError as error:
        raise Unavailable(f"the log cannot be asked for: {error}", remedy="try again") from error


def _send_quietly(agent: _Connected, message: LeaveLog) -> None:
    try:
        agent.line.send(message)
    except LinkError:
        return
