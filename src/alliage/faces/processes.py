"""The processes that the supervisor starts: control, gateway, agent and the two of a rehearsal. Parse, build through `app`, run.

Each process imports its own rooms only. Exit status 2 means: refused, starting again will not help.
"""

import argparse
import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from alliage.app.config import Settings, read_settings
from alliage.app.home import Home, open_home
from alliage.app.leave import REFUSED_EXIT, leave_when_told
from alliage.app.logs import log_to
from alliage.errors import AlliageError
from alliage.faces.telling import error_text


def main(argv: list[str] | None = None, *, uncompiled_because: str = "") -> int:
    """Run one process until it is told to leave; why it does not use compiled modules goes into its log."""
    parser = argparse.ArgumentParser(
        prog="alliage-process", description="One process of the cloud, run by `alliage up`."
    )
    parser.add_argument("kind", choices=tuple(_RUNS))
    parser.add_argument("--name", default="", help="of this one where there are several of its kind")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--leash", type=int, help="file descriptor whose end means that the supervisor died")
    parser.add_argument("--listener", type=int, help="file descriptor of the listening socket")
    parser.add_argument("--fleet", type=Path, help="file of the rehearsed fleet")
    parser.add_argument("--rehearsed", default=None, help="names of its nodes, with commas between them")
    parser.add_argument("--gateway-url", default="", help="what status tells clients to use")
    parser.add_argument("--gateways", type=int, default=1, help="how many gateway processes there are to be")
    parser.add_argument("--tls-cert", type=Path, help="file of the gateway's certificate")
    parser.add_argument("--tls-key", type=Path, help="file of its key")
    given = parser.parse_args(argv)
    try:
        home = open_home(given.home)
        settings = read_settings(home)
        log_to(home.logs, given.name or given.kind)
        if uncompiled_because:
            structlog.get_logger("alliage").info("runs uncompiled", why=uncompiled_because)
        _RUNS[given.kind](home, settings, given)
    except AlliageError as error:
        sys.stderr.write(error_text(error) + "\n")
        return REFUSED_EXIT
    return 0


def _control(home: Home, settings: Settings, given: argparse.Namespace) -> None:
    import secrets

    import uvicorn

    from alliage import __version__
    from alliage.app.clock import SystemClock
    from alliage.app.control import build_control
    from alliage.faces.admin.api import build_admin
    from alliage.fleet.ids import NodeId

    class Server(uvicorn.Server):
        """Signals are ours."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    async def run() -> None:
        leave = leave_when_told(given.leash)
        listener = _listener(given.listener)
        host, port = listener.getsockname()[:2]
        names = None if given.rehearsed is None else frozenset(NodeId(name) for name in given.rehearsed.split(","))
        system = build_control(home, settings, SystemClock(), new_id=lambda: secrets.token_hex(3), rehearsed=names)
        admin = build_admin(
            system.desk,
            books=system.books,
            gateway_url=given.gateway_url,
            version=__version__,
            gateways=given.gateways,
            allowed_hosts=frozenset({f"{host}:{port}", f"localhost:{port}", f"127.0.0.1:{port}"}),
        )
        config = uvicorn.Config(admin, log_config=None, access_log=False, timeout_graceful_shutdown=2, loop="none")
        server = Server(config)
        async with system.running(home.control_socket):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await leave.stop.wait()
            server.should_exit = True
            await serving

    _run(run())


def _gateway(home: Home, settings: Settings, given: argparse.Namespace) -> None:
    from alliage.app.certificates import tls_files
    from alliage.app.door import run_door

    async def run() -> None:
        files = tls_files(settings.gateway, home, given.tls_cert, given.tls_key)
        name = given.name or given.kind
        listener, leave = _listener(given.listener), leave_when_told(given.leash)
        await run_door(home, settings, listener, leave, name=name, files=files)

    _run(run())


def _agent(home: Home, settings: Settings, given: argparse.Namespace) -> None:
    from alliage.app.agent import run_node_agent

    async def run() -> None:
        await run_node_agent(home, settings.agent, leave_when_told(given.leash))

    _run(run())


def _rehearsal(home: Home, settings: Settings, given: argparse.Namespace) -> None:
    from alliage.app.rehearsal import run_rehearsal_agent

    async def run() -> None:
        await run_rehearsal_agent(home, settings.agent, given.fleet, leave_when_told(given.leash))

    _run(run())


def _rehearsed_engines(home: Home, _settings: Settings, given: argparse.Namespace) -> None:
    from alliage.app.rehearsal import run_rehearsed_engines

    async def run() -> None:
        await run_rehearsed_engines(home, leave_when_told(given.leash))

    _run(run())


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    import uvloop

    gc.collect()
    gc.freeze()  # what imports made stays: looking through it again and again would stop the loop for tens of milliseconds
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


def _listener(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener


_RUNS: Final[Mapping[str, Callable[[Home, Settings, argparse.Namespace], None]]] = {
    "control": _control,
    "gateway": _gateway,
    "agent": _agent,
    "rehearsal": _rehearsal,
    "rehearsed-engines": _rehearsed_engines,
}
