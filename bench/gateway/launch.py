"""The gateway alone, as the benchmark starts it: `python -m bench.gateway.launch CONTROL_SOCKET`; prints its port.

Nothing but what a gateway process needs is imported, so that what is measured is the gateway.
"""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import uvloop

from alliage.compiled import use_compiled


async def _run(control: Path) -> None:
    from alliage.gateway.limits import GatewayLimits
    from alliage.gateway.serve import serve

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        print(sock.getsockname()[1], flush=True)
        await serve(sock=sock, control=control, limits=GatewayLimits(), stop=stop, door="bench")


if __name__ == "__main__":
    if why := use_compiled():
        print(why, file=sys.stderr)
    uvloop.run(_run(Path(sys.argv[1])))
