"""Control's side of the agents, with bare lines in an agent's place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.control.actions import StopReplica
from alliage.control.observed import ReplicaReport
from alliage.errors import NotFound, Unavailable
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.link.line import AnsweredLine, DialledLine, dial
from alliage.link.messages import PROTOCOL, AgentHello, AgentReport, LeaveLog, LogPiece, ReadLog, Stop
from alliage.runtimes.hub import LOG_PIECES_MAX, AgentHub
from tests.builders import a_node, a_replica_report
from tests.link.listening import listening
from tests.runtimes.scene import until

NODE = a_node("laptop")


@asynccontextmanager
async def _hub(tmp_path: Path) -> AsyncIterator[tuple[AgentHub, Path, list[int]]]:
    changes: list[int] = []
    hub = AgentHub(on_change=lambda: changes.append(1))

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, AgentHello)
        await hub.answer(hello, line)

    async with listening(tmp_path / "c", answer):
        yield hub, tmp_path / "c", changes


def _report(*replicas: ReplicaReport) -> AgentReport:
    return AgentReport(node=NODE, free_bytes={}, replicas={report.replica: report for report in replicas})


async def _join(hub: AgentHub, path: Path, *replicas: ReplicaReport) -> DialledLine:
    line = await dial(path)
    line.send(AgentHello(protocol=PROTOCOL, node=NODE))
    line.send(_report(*replicas))
    await until(lambda: NODE.id in hub.observe(), 5)
    return line


def test_reports_are_observed_while_the_agent_is_there(tmp_path: Path) -> None:
    """A node is observed from its first report until its line ends, and both are changes."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, changes):
            line = await _join(hub, path, a_replica_report())
            assert hub.observe()[NODE.id].replicas == {"tiny-000001": a_replica_report()}
            assert len(changes) == 1
            line.close()
            await until(lambda: hub.observe() == {}, 5)
            assert len(changes) == 2

    asyncio.run(play())


def test_only_news_wake_control(tmp_path: Path) -> None:
    """A heartbeat and moving figures are kept without a call; a new state calls."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, changes):
            report = a_replica_report()
            line = await _join(hub, path, report)
            moved = replace(report, ready_for_s=9.0, resident_bytes=5, fetched_bytes=3)
            line.send(_report(moved))
            await until(lambda: hub.observe()[NODE.id].replicas[report.replica].ready_for_s == 9.0, 5)
            assert len(changes) == 1
            line.send(_report(replace(moved, port=1)))
            await until(lambda: len(changes) == 2, 5)
            line.close()

    asyncio.run(play())


def test_a_second_line_of_a_node_takes_the_firsts_place(tmp_path: Path) -> None:
    """The older line is closed, and its end does not take the newer one's reports away."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            first = await _join(hub, path)
            second = await _join(hub, path, a_replica_report())
            assert await first.receive() is None
            await until(lambda: NODE.id in hub.observe(), 5)
            hub.act([StopReplica(node=NODE.id, replica=ReplicaId("r"), grace_s=1.0)])
            assert await second.receive() == Stop(order=StopReplica(node=NODE.id, replica=ReplicaId("r"), grace_s=1.0))
            first.close()
            second.close()

    asyncio.run(play())


def test_orders_to_nobody_are_dropped(tmp_path: Path) -> None:
    """An action for an agent that is away is no error; its log is."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, _, _):
            hub.act([StopReplica(node=NodeId("gone"), replica=ReplicaId("r"), grace_s=1.0)])
            with pytest.raises(Unavailable, match="node gone is away"):
                await anext(hub.logs(NodeId("gone"), ReplicaId("r"), lines=1, follow=False))

    asyncio.run(play())


def test_log_pieces_reach_their_reader(tmp_path: Path) -> None:
    """Pieces come in order until the end; a reader that leaves early is told to the agent; an error is raised."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            line = await _join(hub, path)
            reading = asyncio.ensure_future(_all(hub))
            asked = await line.receive()
            assert asked == ReadLog(request=1, replica=ReplicaId("r"), lines=5, follow=True)
            for text, end in (("a", False), ("b", False), ("", True)):
                line.send(LogPiece(request=1, text=text, end=end))
            assert await reading == ["a", "b", ""]
            assert await line.receive() == LeaveLog(request=1)
            early = hub.logs(NODE.id, ReplicaId("r"), lines=5, follow=True)
            first = asyncio.ensure_future(anext(early))
            assert await line.receive() is not None
            line.send(LogPiece(request=2, text="x", end=False))
            assert await first == "x"
            await early.aclose()
            assert await line.receive() == LeaveLog(request=2)
            reading = asyncio.ensure_future(_all(hub))
            assert await line.receive() is not None
            line.send(LogPiece(request=3, text="", end=True, error="r has no log"))
            with pytest.raises(NotFound, match="r has no log"):
                await reading
            line.close()

    asyncio.run(play())


def test_a_log_ends_with_its_agent_or_when_its_reader_is_too_slow(tmp_path: Path) -> None:
    """The reader hears that the agent went; one that does not read does not fill the memory."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            line = await _join(hub, path)
            slow = hub.logs(NODE.id, ReplicaId("r"), lines=5, follow=True)
            first = asyncio.ensure_future(anext(slow))
            assert await line.receive() is not None
            for _ in range(LOG_PIECES_MAX + 10):
                line.send(LogPiece(request=1, text="x", end=False))
            await first
            line.send(_report(a_replica_report()))
            await until(lambda: bool(hub.observe()[NODE.id].replicas), 5)
            with pytest.raises(NotFound, match="too slow"):
                async for _ in slow:
                    pass
            reading = asyncio.ensure_future(_all(hub))
            while not isinstance(await line.receive(), ReadLog):
                pass
            line.close()
            with pytest.raises(Unavailable, match="went away"):
                await reading

    asyncio.run(play())


async def _all(hub: AgentHub) -> list[str]:
    return [text async for text in hub.logs(NODE.id, ReplicaId("r"), lines=5, follow=True)]
