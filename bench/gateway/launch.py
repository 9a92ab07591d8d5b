"""The gateway alone, as the benchmark starts it: `python -m bench.gateway.launch CONTROL_SOCKET JOURNAL_FOLDER`; prints its port.

Nothing but what a gateway process needs is imported, so that what is measured is the gateway.
"""

import asyncio
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from alliage.compiled import use_compiled

_CONNECTIONS_MAX: Final = 16_384
"""So that a crowd finds room; every other limit is the default."""


def _raise_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(control: Path, journal: Path) -> None:
    from alliage.gateway.limits import GatewayLimits
    from alliage.gateway.serve import serve

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    limits = GatewayLimits(connections_max=_CONNECTIONS_MAX)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        print(sock.getsockname()[1], flush=True)
        await serve(sock=sock, control=control, limits=limits, stop=stop, door="bench", usage=journal)


if __name__ == "__main__":
    if why := use_compiled():
        print(why, file=sys.stderr)
    _raise_descriptors()
    uvloop.run(_run(Path(sys.argv[1]), Path(sys.argv[2])))
