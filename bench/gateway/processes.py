"""The processes of a run, each pinned to its core and ended with its context: upstream, nginx, gateway."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import Final

from alliage.errors import Unavailable
from bench.gateway.control import Control
from bench.gateway.tools import ROOT, find_program, python_path

_START_S: Final = 20.0
_END_S: Final = 5.0
_NGINX: Final = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    upstream engine {{
        server 127.0.0.1:{upstream_port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://engine;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that is ready: where it listens, and the process that began it."""

    name: str
    port: int
    pid: int


@asynccontextmanager
async def running(
    *argv: str, core: int, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A process on `core` with its stdout readable and its stderr in `log`; it is ended with the context."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            find_program("taskset"),
            *("-c", str(core), *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
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


async def read_line(process: Process, log: Path, within_s: float = _START_S) -> str:
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


@asynccontextmanager
async def nginx(program: str, *, upstream_port: int, core: int, folder: Path) -> AsyncIterator[Proxy]:
    """A plain reverse proxy: one worker, kept-alive upstream connections, no buffering, no access log."""
    with create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    conf, log = folder / "nginx.conf", folder / "nginx.log"
    conf.write_text(_NGINX.format(folder=folder, upstream_port=upstream_port, port=port))
    argv = (program, "-p", str(folder), "-e", str(folder / "nginx-errors.log"), "-c", str(conf))
    async with running(*argv, core=core, log=log) as process:
        await _wait_until_listening(process, port, log)
        yield Proxy(name="nginx", port=port, pid=process.pid)


async def _wait_until_listening(process: Process, port: int, log: Path) -> None:
    deadline_s = asyncio.get_running_loop().time() + _START_S
    while process.returncode is None and asyncio.get_running_loop().time() < deadline_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise Unavailable(f"nginx does not listen on {port}", remedy=last_words(log))


@asynccontextmanager
async def gateway(python: str, *, control: Control, core: int, folder: Path) -> AsyncIterator[Proxy]:
    """Our gateway under the interpreter `python`, ready when it works by control's table."""
    log = folder / "gateway.log"
    environment = {"PYTHONPATH": python_path()}
    argv = (python, "-m", "bench.gateway.launch", str(control.path))
    control.taken.clear()
    async with running(*argv, core=core, log=log, environment=environment) as process:
        port = int(await read_line(process, log))
        try:
            await asyncio.wait_for(control.taken.wait(), _START_S)
        except TimeoutError:
            raise Unavailable(f"the gateway took no table in {_START_S:g} s", remedy=last_words(log)) from None
        yield Proxy(name="gateway", port=port, pid=process.pid)
