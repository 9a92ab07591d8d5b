"""The gateway process's life: accept, keep the line to control, sweep deadlines, drain and leave."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from alliage.gateway.client import ClientConnection
from alliage.gateway.control_line import ControlLine
from alliage.gateway.door import Door
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.metrics import exposition
from alliage.gateway.recorder import Recorder
from alliage.gateway.siblings import Siblings

_log: Final = structlog.get_logger("alliage.gateway")
_BACKLOG: Final = 1024


async def serve(
    *,
    sock: socket.socket,
    control: Path,
    limits: GatewayLimits,
    stop: asyncio.Event,
    door: str,
    recorder: Recorder | None = None,
    metrics: Path | None = None,
) -> None:
    """Serve the OpenAI API on a listening TCP socket until `stop`, then drain for at most `limits.drain_s` seconds.

    `control` is the Unix socket that control listens on, `door` this gateway's name there. Meant for a uvloop loop.
    Owns `sock` and closes it; the recorder, where there is one, too. `metrics` is the folder where the gateway processes of
    this home tell each other theirs.
    """
    loop = asyncio.get_running_loop()
    shared = Door(loop, limits, door)
    shared.recorder = recorder
    shared.siblings = None if metrics is None else Siblings(metrics, door)
    shared.reporter = line = ControlLine(shared, control, door)
    server = await loop.create_server(lambda: ClientConnection(shared), sock=sock, backlog=_BACKLOG)
    talking = asyncio.create_task(line.run())
    sweeping = asyncio.create_task(_sweep(shared))
    reaching = asyncio.create_task(shared.reach.run())
    _log.info("gateway open", address=sock.getsockname() if sock.fileno() >= 0 else "", door=door)
    try:
        await _first_of(stop, talking, sweeping, reaching)
    finally:
        server.close()
        await _drain(shared)
        for task in (talking, sweeping, reaching):
            task.cancel()
        await asyncio.gather(talking, sweeping, reaching, return_exceptions=True)
        shared.close()
        if shared.siblings is not None:
            shared.siblings.leave()
        if recorder is not None:
            await recorder.close()
        _log.info("gateway closed", door=door)


async def _first_of(stop: asyncio.Event, *tasks: asyncio.Task[None]) -> None:
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
        if door.siblings is not None and door.siblings.is_asked():
            door.siblings.tell(exposition(door))


async def _drain(door: Door) -> None:
    """Let requests in work end."""
    door.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(door.deserted.wait(), door.limits.drain_s)
