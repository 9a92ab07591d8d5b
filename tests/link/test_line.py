"""The line: messages arrive whole and in order, and each way it can break is told."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from alliage.control.actions import StartReplica, StopReplica
from alliage.errors import LinkError
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.link.line import FRAME_BYTES_MAX, AnsweredLine, dial
from alliage.link.messages import (
    PROTOCOL,
    AgentHello,
    AgentReport,
    FromControl,
    GatewayHello,
    GatewayReport,
    LeaveLog,
    LogPiece,
    NewTable,
    ReadLog,
    Refused,
    Start,
    Stop,
    ToControl,
)
from tests.builders import a_card, a_node, a_replica, a_replica_report
from tests.link.listening import listening
from tests.link.tables import a_table

UP: tuple[ToControl, ...] = (
    AgentHello(protocol=PROTOCOL, node=a_node()),
    AgentReport(node=a_node(), free_bytes={}, replicas={ReplicaId("r"): a_replica_report("r")}),
    LogPiece(request=1, text="ä\n\x00", end=False),
    GatewayHello(protocol=PROTOCOL, door="d"),
    GatewayReport(table_version=3, in_flight={ReplicaId("r"): 2}),
    GatewayReport(
        table_version=3,
        in_flight={},
        counted_s=1.5,
        traffic={ServiceName("s"): Traffic(asked=1, ttft_s=0.5)},
        replicas={ReplicaId("r"): ReplicaTraffic(busy_s=0.25)},
        unreachable=(ReplicaId("r"),),
    ),
)
DOWN: tuple[FromControl, ...] = (
    Start(order=StartReplica(node=NodeId("n"), replica=a_replica(), model=a_card(), attempt=2)),
    Stop(order=StopReplica(node=NodeId("n"), replica=ReplicaId("r"), grace_s=1.5)),
    ReadLog(request=1, replica=ReplicaId("r"), lines=10, follow=True),
    LeaveLog(request=1),
    NewTable(table=a_table(7)),
    Refused(why="another protocol"),
)


@asynccontextmanager
async def _lines(tmp_path: Path) -> AsyncIterator[asyncio.Queue[AnsweredLine]]:
    answered: asyncio.Queue[AnsweredLine] = asyncio.Queue()
    over = asyncio.Event()

    async def answer(line: AnsweredLine) -> None:
        answered.put_nowait(line)
        await over.wait()

    async with listening(tmp_path / "c", answer):
        yield answered
        over.set()


def test_every_message_arrives_as_it_was_sent(tmp_path: Path) -> None:
    """Each kind of message, both ways, in order."""

    async def play() -> None:
        async with _lines(tmp_path) as answered:
            dialled = await dial(tmp_path / "c")
            line = await answered.get()
            for up in UP:
                dialled.send(up)
            for down in DOWN:
                line.send(down)
            assert [await line.receive() for _ in UP] == list(UP)
            assert [await dialled.receive() for _ in DOWN] == list(DOWN)
            dialled.close()
            assert await line.receive() is None

    asyncio.run(play())


def test_a_closed_line_takes_nothing_more(tmp_path: Path) -> None:
    """Sending on a closed line is an error; the other side hears the end after what was sent before."""

    async def play() -> None:
        async with _lines(tmp_path) as answered:
            dialled = await dial(tmp_path / "c")
            line = await answered.get()
            dialled.send(UP[0])
            dialled.close()
            with pytest.raises(LinkError, match="closed"):
                dialled.send(UP[0])
            assert await line.receive() == UP[0]
            assert await line.receive() is None

    asyncio.run(play())


_NO_TEXT = b"\x81\xa4type\xa2\xff\xfe"
_DEEP = b"\x82\xa4type\xadgateway_hello\xa1x" + b"\x91" * 5000 + b"\x01"
_START = msgspec.msgpack.encode({"type": "start"})


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (struct.pack(">I", FRAME_BYTES_MAX + 1), "the limit is"),
        (struct.pack(">I", 3) + b"{}}", "could not be read"),
        (struct.pack(">I", len(_START)) + _START, "could not be read"),
        (struct.pack(">I", 4) + b"\xff\xff\xff\xff", "could not be read"),
        (struct.pack(">I", len(_NO_TEXT)) + _NO_TEXT, "could not be read"),
        (struct.pack(">I", len(_DEEP)) + _DEEP, "could not be read"),
    ],
)
def test_what_is_no_message_is_an_error(tmp_path: Path, sent: bytes, said: str) -> None:
    """Too long, no MessagePack, the other direction's message, no text, nested without end: LinkError, not a crash."""

    async def play() -> None:
        async with _lines(tmp_path) as answered:
            _, writer = await asyncio.open_unix_connection(str(tmp_path / "c"))
            line = await answered.get()
            writer.write(sent)
            with pytest.raises(LinkError, match=said):
                await line.receive()
            writer.close()

    asyncio.run(play())


def test_a_message_that_is_cut_off_is_the_end(tmp_path: Path) -> None:
    """A peer that dies within a message leaves no half of one."""

    async def play() -> None:
        async with _lines(tmp_path) as answered:
            _, writer = await asyncio.open_unix_connection(str(tmp_path / "c"))
            line = await answered.get()
            writer.write(struct.pack(">I", 100) + b"{")
            writer.close()
            assert await line.receive() is None

    asyncio.run(play())


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """What waits to be sent is bounded; past it the line is closed and the sender told."""

    async def play() -> None:
        async with _lines(tmp_path) as answered:
            dialled = await dial(tmp_path / "c")
            line = await answered.get()
            big = Refused(why="x" * (8 << 20))
            with pytest.raises(LinkError, match="stopped reading"):
                _send_often(line, big)
            with pytest.raises(LinkError, match="closed"):
                line.send(big)
            dialled.close()

    asyncio.run(play())


def _send_often(line: AnsweredLine, message: FromControl) -> None:
    for _ in range(10):
        line.send(message)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    """Dialling a path where nobody listens names the path."""
    with pytest.raises(LinkError, match="control cannot be reached at"):
        asyncio.run(_dial(tmp_path / "none"))


async def _dial(path: Path) -> None:
    await dial(path)


def test_a_dead_listeners_socket_is_replaced_and_private(tmp_path: Path) -> None:
    """The socket of a listener that died does not stop the next one, and nobody else may connect."""

    async def play() -> None:
        async with _lines(tmp_path):
            pass
        (tmp_path / "c").touch()
        async with _lines(tmp_path) as answered:
            assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
            dialled = await dial(tmp_path / "c")
            await answered.get()
            dialled.close()

    asyncio.run(play())
