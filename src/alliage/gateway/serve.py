"""The gateway process's life: accept, keep the line to control, sweep deadlines, drain and leave."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from alliage.fleet.routing import Upstream
from alliage.gateway.books.counting import Counting
from alliage.gateway.books.keeping import Keeper, open_books
from alliage.gateway.client import ClientConnection
from alliage.gateway.control_line import ControlLine
from alliage.gateway.descriptors import places, raise_descriptors
from alliage.gateway.door import Door
from alliage.gateway.doorstep import Doorsteps
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.metrics import exposition
from alliage.gateway.parts import Beat, in_parts
from alliage.gateway.recorder import Recorder
from alliage.gateway.siblings import Siblings
from alliage.gateway.tls import Tls

_log: Final = structlog.get_logger("alliage.gateway")
_BACKLOG: Final = 4096
_TLS_LOOK_S: Final = 2.0
"""How often the files of TLS are looked at."""


async def serve(
    *,
    sock: socket.socket,
    control: Path,
    limits: GatewayLimits,
    stop: asyncio.Event,
    door: str,
    name: str = "gateway",
    tls: Tls | None = None,
    recorder: Recorder | None = None,
    metrics: Path | None = None,
    usage: Path | None = None,
) -> None:
    """Serve the OpenAI API on a listening TCP socket until `stop`, then drain for at most `limits.drain_s` seconds.

    `control` is the Unix socket that control listens on, `door` this process there, `name` what people call it. With `tls`
    nothing but TLS is spoken. Meant for a uvloop loop. Owns `sock` and closes it; the recorder, where there is one, too.
    `metrics` is the folder where the gateway processes of this home tell each other theirs, `usage` that of their usage
    journals; without one nothing is metered.
    """
    loop = asyncio.get_running_loop()
    shared = Door(loop, _fitting(limits), name)
    shared.recorder = recorder
    shared.siblings = None if metrics is None else Siblings(metrics, name)
    shared.reporter = line = ControlLine(shared, control, door)
    steps = None if tls is None else Doorsteps(shared, tls)
    made = (lambda: ClientConnection(shared)) if steps is None else steps.make
    keeper = _keeper(shared, usage)
    server = await loop.create_server(made, sock=sock, backlog=_BACKLOG)
    talking = asyncio.create_task(line.run())
    sweeping = asyncio.create_task(_sweep(shared))
    reaching = asyncio.create_task(shared.reach.run())
    keeping = asyncio.create_task(asyncio.Event().wait() if keeper is None else keeper.run())
    _log.info("gateway open", address=sock.getsockname() if sock.fileno() >= 0 else "", door=door)
    tasks = (sweeping, reaching, keeping, *(() if tls is None else (asyncio.create_task(_watch(tls)),)))
    try:
        await _first_of(stop, talking, *tasks)
    finally:
        server.close()
        if steps is not None:
            steps.close()
        await _drain(shared)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shared.close()
        if keeper is not None:
            await asyncio.sleep(0)  # those that were cut off now are told so in the next round of the loop
            await keeper.close()
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        if shared.siblings is not None:
            shared.siblings.leave()
        if recorder is not None:
            await recorder.close()
        _log.info("gateway closed", door=door)


def _fitting(limits: GatewayLimits) -> GatewayLimits:
    """With no more connections than there are descriptors for."""
    got = raise_descriptors()
    fit = places(got.most, limits.connections_max)
    _log.info("descriptors", most=got.most, had=got.had, connections_max=fit)
    if fit < limits.connections_max:
        _log.warning("fewer connections than were asked for", connections_max=fit, asked=limits.connections_max)
    return replace(limits, connections_max=fit)


async def _watch(tls: Tls) -> None:
    while True:
        await asyncio.sleep(_TLS_LOOK_S)
        tls.look()


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
    counting = Counting(door.books, door.pools, upstreams)
    return Keeper(usage, door.books, door.teller, counting, flights=door.flights, limits=door.limits)


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
    beat = Beat(door.limits.tick_s)
    while True:
        await beat.come()
        door.sweep()
        await in_parts(list(door.guests), door.look_at)
        if door.siblings is not None and door.siblings.is_asked():
            door.siblings.tell(exposition(door))


async def _drain(door: Door) -> None:
    """Let requests in work end."""
    door.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(door.deserted.wait(), door.limits.drain_s)
