"""Runs one gateway process."""

import asyncio
import contextlib
import os
import signal
import socket

from alliage.app.config import Settings
from alliage.app.home import Home
from alliage.app.leave import Leave
from alliage.app.watching import build_recorder
from alliage.gateway.serve import serve
from alliage.gateway.tls import Tls, TlsFiles


async def run_door(
    home: Home, settings: Settings, listener: socket.socket, leave: Leave, *, name: str, files: TlsFiles | None
) -> None:
    """Serve on the listening socket until told to leave; `at_once` cuts what is still in flight.

    SIGHUP reads the files of TLS again at once. To control each process is another door, also one that was started again.
    """
    door = f"{name}-{os.getpid()}"
    recorder = build_recorder(home.logs, settings.gateway, name)
    tls = None if files is None else Tls(files)
    if tls is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, tls.renew)
    serving = asyncio.ensure_future(
        serve(
            sock=listener,
            control=home.control_socket,
            limits=settings.gateway,
            stop=leave.stop,
            door=door,
            recorder=recorder,
            metrics=home.run / "metrics",
            name=name,
            tls=tls,
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
