"""The processes of a run, each pinned to its core and ended with its context: the engine and our gateway (others: rivals.py)."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.errors import Unavailable
from bench.gateway.control import Control
from bench.gateway.tools import ROOT, find_program, python_path

START_S: Final = 20.0
_END_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that is ready: where it listens, and the process that began it."""

    name: str
    port: int
    pid: int
    key: str = ""
    """The one that it takes; "": those of the table."""


@asynccontextmanager
async def running(
    *argv: str, core: int, log: Path, environment: Mapping[str, str] | None = None, listens: bool = True
) -> AsyncIterator[Process]:
    """A process on `core` with its stderr in `log`, its stdout too unless someone listens; it is ended with the context."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            find_program("taskset"),
            *("-c", str(core), *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE if listens else stderr,
            stderr=stderr,
            env=environment or {},
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def read_line(process: Process, log: Path, within_s: float = START_S) -> str:
    """The next line of a process; raises Unavailable with its last words when it ends or stays silent."""
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), within_s)
    except TimeoutError:
        line = b""
    if not line:
        raise Unavailable(f"{log.stem} ended or said nothing for {within_s:g} s", remedy=last_words(log))
    return line.decode().strip()


def last_words(log: Path) -> str:
    """The end of what a process wrote to its stderr."""
    return log.read_text(errors="replace").strip()[-2000:] or "it left no message"


@asynccontextmanager
async def upstream(program: Path, *, interval_us: int, core: int, folder: Path) -> AsyncIterator[int]:
    """The engine behind the proxies; yields its port."""
    log = folder / "upstream.log"
    async with running(str(program), str(interval_us), core=core, log=log) as process:
        yield int(await read_line(process, log))


async def wait_until_listening(process: Process, port: int, log: Path, within_s: float = START_S) -> None:
    """Until something listens on the port; raises Unavailable when the process ends or takes longer."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while process.returncode is None and asyncio.get_running_loop().time() < deadline_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise Unavailable(f"{log.stem} does not listen on {port}", remedy=last_words(log))


@asynccontextmanager
async def gateway(
    python: str, *, control: Control, core: int, folder: Path, profile: Path | None = None
) -> AsyncIterator[Proxy]:
    """Our gateway under the interpreter `python`, ready when it works by control's table; its profile is left there."""
    log = folder / "gateway.log"
    environment = {"PYTHONPATH": python_path()}
    journal = folder / "journal"
    journal.mkdir(exist_ok=True)
    profiler = ("-m", "cProfile", "-o", str(profile)) if profile else ()
    argv = (python, *profiler, "-m", "bench.gateway.launch", str(control.path), str(journal))
    control.taken.clear()
    async with running(*argv, core=core, log=log, environment=environment) as process:
        port = int(await read_line(process, log))
        try:
            await asyncio.wait_for(control.taken.wait(), START_S)
        except TimeoutError:
            raise Unavailable(f"the gateway took no table in {START_S:g} s", remedy=last_words(log)) from None
        yield Proxy(name="gateway", port=port, pid=process.pid)
