"""Runs one gateway process."""

import asyncio
import contextlib
import os
import socket

from alliage.app.config import Settings
from alliage.app.home import Home
from alliage.app.leave import Leave
from alliage.gateway.serve import serve


async def run_door(home: Home, settings: Settings, listener: socket.socket, leave: Leave) -> None:
    """Serve on the listening socket until told to leave; `at_once` cuts what is still in flight."""
    door = f"gateway-{os.getpid()}"
    serving = asyncio.ensure_future(
        serve(
            sock=listener,
            control=home.control_socket,
            limits=settings.gateway,
            stop=leave.stop,
            door=door,
            usage=home.usage,
        ),
    )
    at_once = asyncio.ensure_future(leave.at_once.wait())
    await asyncio.wait({serving, at_once}, return_when=asyncio.FIRST_COMPLETED)
    at_once.cancel()
    if not serving.done():
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
