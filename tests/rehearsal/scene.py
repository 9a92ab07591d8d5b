"""Rehearsed engines in this process, on real sockets, and an agent's line to them."""

import asyncio
import contextlib
import functools
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec

from alliage.control.observed import EngineState
from alliage.fleet.ids import ReplicaId
from alliage.link.line import Line
from alliage.rehearsal.engines import EnginesLine, run_engines
from alliage.rehearsal.messages import FromEngines, Lag, Open, ToEngines, Told
from alliage.speed.pace import Pace
from tests.speed.test_batching import pace

_Given = ParamSpec("_Given")


def played(test: Callable[_Given, Coroutine[Any, Any, None]]) -> Callable[_Given, None]:
    """A test that waits, on an event loop of its own."""

    @functools.wraps(test)
    def play(*arguments: _Given.args, **named: _Given.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return play


@dataclass
class Scene:
    """The line, and how each replica was told to be last."""

    socket: Path
    line: EnginesLine
    told: dict[str, Told] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lags: int = 0

    async def listen(self) -> None:
        """Take what the engines tell, until they go."""
        while (message := await self.line.receive()) is not None:
            if isinstance(message, Lag):
                self.lags += 1
            else:
                self.told[message.replica] = message
            self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what was told makes it so."""
        async with asyncio.timeout(20):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def open(self, name: str, *, wanted: Pace | None = None, attempt: int = 1, slow: float = 1.0) -> Told:
        """A replica that is ready."""
        self.line.send(order(name, wanted=wanted, attempt=attempt, slow=slow))
        await self.until(lambda: name in self.told and self.told[name].state is EngineState.READY)
        return self.told[name]


def order(name: str, *, wanted: Pace | None = None, attempt: int = 1, slow: float = 1.0) -> Open:
    """To be a replica that loads in no time."""
    found = wanted or replace(pace(), load_s=0.01)
    return Open(
        replica=ReplicaId(name),
        attempt=attempt,
        host="127.0.0.1",
        key="secret",
        model="chat",
        context_tokens=4096,
        pace=found,
        slow=slow,
    )


@asynccontextmanager
async def a_scene() -> AsyncIterator[Scene]:
    """Engines that run, and a line to them."""
    with tempfile.TemporaryDirectory(prefix="al") as folder:
        path, stop = Path(folder) / "engines.sock", asyncio.Event()
        engines = asyncio.create_task(run_engines(path, stop))
        while not path.exists():  # noqa: ASYNC110 - a file, and some milliseconds
            await asyncio.sleep(0.005)
        scene = Scene(path, await dialled(path))
        listening = asyncio.create_task(scene.listen())
        try:
            yield scene
        finally:
            stop.set()
            await engines
            scene.line.close()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


async def dialled(path: Path) -> EnginesLine:
    """A line as an agent has it."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    line: Line[FromEngines, ToEngines] = Line(reader, writer, FromEngines)
    return line


async def post(told: Told, body: dict[str, Any], *, key: str = "secret", path: str = "/v1/chat/completions") -> bytes:
    """The whole answer, head and body, of a connection that is closed after it."""
    reader, writer = await asyncio.open_connection(told.host, told.port)
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(raw)}\r\n\r\n"
    writer.write(head.encode() + raw)
    try:
        return await _read(reader, streams=bool(body.get("stream")))
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, *, streams: bool) -> bytes:
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        if streams and b" 200 " in head:
            return head + await reader.readuntil(b"0\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        return head + await reader.readexactly(length)


def said(answer: bytes) -> str:
    """The text of a streamed answer."""
    events = [line[6:] for line in answer.decode().splitlines() if line.startswith("data: {")]
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)
