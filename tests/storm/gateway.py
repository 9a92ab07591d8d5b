"""A real gateway as a process on a listening socket that outlives it: `python -m tests.storm.gateway FD CONTROL USAGE MARK_S`."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import uvloop

from alliage.gateway.limits import GatewayLimits
from alliage.gateway.serve import serve


async def _run(descriptor: int, control: Path, usage: Path, mark_s: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    limits = GatewayLimits(usage_mark_s=mark_s, usage_tell_s=0.02, redial_max_s=0.2, drain_s=5.0, hold_s=30.0)
    await serve(sock=sock, control=control, limits=limits, stop=stop, door="storm", usage=usage)


if __name__ == "__main__":
    uvloop.run(_run(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])))
