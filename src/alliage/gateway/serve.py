"""The gateway process's life: accept, keep the line to control, sweep deadlines, drain and leave."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from alliage.fleet.routing import Upstream
from alliage.gateway.books.counting import Counting
from alliage.gateway.books.keeping import Keeper, open_books
from alliage.gateway.client import ClientConnection
from alliage.gateway.control_line import ControlLine
from alliage.gateway.door import Door
from alliage.gateway.limits import GatewayLimits

_log: Final = structlog.get_logger("alliage.gateway")
_BACKLOG: Final = 1024


async def serve(
    *,
    sock: socket.socket,
    control: Path,
    limits: GatewayLimits,
    stop: asyncio.Event,
    door: str,
    usage: Path | None = None,
) -> None:
    """Serve the OpenAI API on a listening TCP socket until `stop`, then drain for at most `limits.drain_s` seconds.

    `control` is the Unix socket that control listens on, `door` this gateway's name there, `usage` the folder of the usage
    journals of all gateways of this home; without one nothing is metered. Meant for a uvloop loop. Owns `sock` and closes it.
    """
    loop = asyncio.get_running_loop()
    shared = Door(loop, limits)
    shared.reporter = line = ControlLine(shared, control, door)
    keeper = _keeper(shared, usage)
    server = await loop.create_server(lambda: ClientConnection(shared), sock=sock, backlog=_BACKLOG)
    talking = asyncio.create_task(line.run())
    sweeping = asyncio.create_task(_sweep(shared))
    reaching = asyncio.create_task(shared.reach.run())
    keeping = asyncio.create_task(asyncio.Event().wait() if keeper is None else keeper.run())
    _log.info("gateway open", address=sock.getsockname() if sock.fileno() >= 0 else "", door=door)
    try:
        await _first_of(stop, talking, sweeping, reaching, keeping)
    finally:
        server.close()
        await _drain(shared)
        for task in (sweeping, reaching, keeping):
            task.cancel()
        await asyncio.gather(sweeping, reaching, keeping, return_exceptions=True)
        shared.close()
        if keeper is not None:
            await asyncio.sleep(0)  # those that were cut off now are told so in the next round of the loop
            await keeper.close()
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        _log.info("gateway closed", door=door)


def _keeper(door: Door, usage: Path | None) -> Keeper | None:
    """Whoever keeps the books; a home whose folder cannot be used is served without, and says so."""
    if usage is None:
        return None

    def upstreams(service: str) -> tuple[Upstream, ...]:
        route = door.route(service)
        return () if route is None else route.upstreams

    try:
        door.books = open_books(usage, door.limits.usage_bytes_max)
    except OSError as error:
        _log.error("usage cannot be written down; requests are served", folder=str(usage), why=str(error))
        return None
    return Keeper(usage, door.books, door.teller, Counting(door.books, door.pools, upstreams), door.limits)


async def _first_of(stop: asyncio.Event, *tasks: asyncio.Task[Any]) -> None:
    """Wait for `stop`; a task that ends before is a bug and is raised."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    for task in tasks:
        if task.done():
            task.result()


async def _sweep(door: Door) -> None:
    while True:
        await asyncio.sleep(door.limits.tick_s)
        door.sweep()


async def _drain(door: Door) -> None:
    """Let requests in work end."""
    door.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(door.deserted.wait(), door.limits.drain_s)
