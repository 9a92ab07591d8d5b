"""Health: what counts as ready, hung and busy, with real sockets and processes."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from alliage.control.observed import EngineState
from alliage.fleet.ids import ReplicaId
from alliage.runtimes.folders import FORMAT, Spec, WatchSpec
from alliage.runtimes.health import Physician
from alliage.runtimes.probe import Answer, probe
from alliage.runtimes.settings import AgentSettings

QUICK = AgentSettings(health_every_s=0.05, health_timeout_s=0.3, health_failures=2, probe_every_s=0.02)


@asynccontextmanager
async def _server(answer: bytes) -> AsyncIterator[int]:
    """A port that says `answer` to each request; nothing at all for b""."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not answer:
            await reader.read()  # until the other side gives up
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0.05)  # the last connections are closed


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Answer.WELL),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Answer.UNWELL),
        (b"", Answer.SILENT),
        (b"no end of a line", Answer.REFUSED),
        (b"x" * 100_000, Answer.REFUSED),
    ],
)
def test_a_probe_tells_answers_apart(said: bytes, answer: Answer) -> None:
    """200, another status, silence, and what is no HTTP."""

    async def play() -> Answer:
        async with _server(said) as port:
            return await probe("127.0.0.1", port, "/health", key="k", timeout_s=0.5)

    assert asyncio.run(play()) is answer


def test_a_port_that_nobody_has_is_refused() -> None:
    """An engine that is gone is not silent."""

    async def play() -> Answer:
        async with _server(b"x") as port:
            pass
        return await probe("127.0.0.1", port, "/", key="k", timeout_s=0.5)

    assert asyncio.run(play()) is Answer.REFUSED


def _spec(port: int) -> Spec:
    watch = WatchSpec(argv=(), environment={}, cores=(), claim_s=1, log_bytes_max=1, log_files=1)
    return Spec(
        format=FORMAT,
        replica=ReplicaId("r"),
        attempt=1,
        host="127.0.0.1",
        port=port,
        key="k",
        ready_path="/health",
        ready_within_s=0.4,
        boot_id="",
        watch=watch,
    )


def _told_while_silent(program: str, *, for_s: float, until: EngineState | None = None) -> list[EngineState]:
    """What is told of a silent engine whose process runs `program`, in `for_s` seconds or `until` this is told."""
    told: list[EngineState] = []

    async def play(pid: int) -> None:
        heard = asyncio.Event()

        def tell(state: EngineState) -> None:
            told.append(state)
            if state is until:
                heard.set()

        async with _server(b"") as port:
            attending = asyncio.create_task(Physician(_spec(port), pid, QUICK, tell).attend())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), for_s)
            attending.cancel()
            await asyncio.wait((attending,))

    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            asyncio.run(play(process.pid))
        finally:
            process.kill()
    return told


def test_a_silent_engine_that_works_is_busy_one_that_does_not_is_ill() -> None:
    """An overloaded engine keeps its replica; a hung one is told as ILL."""
    assert EngineState.ILL not in _told_while_silent("while True: pass", for_s=1.5)
    assert _told_while_silent("import time; time.sleep(60)", for_s=30, until=EngineState.ILL)[-1] is EngineState.ILL


def test_ready_is_told_once_it_answers_and_not_after_its_time() -> None:
    """The first 200 makes it ready; without one it is not ready in time."""
    told: list[EngineState] = []

    async def play(said: bytes) -> bool:
        async with _server(said) as port:
            spec = replace(_spec(port), ready_within_s=0.4)
            return await Physician(spec, 0, QUICK, told.append).until_ready()

    assert asyncio.run(play(b"HTTP/1.1 503 Loading\r\n\r\n")) is False
    assert asyncio.run(play(b"HTTP/1.1 200 OK\r\n\r\n")) is True
    assert told == [EngineState.READY]
