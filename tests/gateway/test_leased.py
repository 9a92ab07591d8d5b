"""Two real gateway processes' worth of doors, one control that deals the limits between them."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alliage.fleet.limits import Limits, Scope
from alliage.fleet.routing import RoutingTable
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.serve import serve
from alliage.link.doors import DoorHub
from alliage.link.leases import Leases
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import GatewayHello
from tests.gateway.house import Wire, chat_body, post, route, run, table, until, upstream
from tests.gateway.test_admission import limited
from tests.gateway.upstream import Engine


class _NothingBooked:
    """A ledger that has nothing: what gateways tell is all that counts."""

    def spent_micros(self, scope: Scope, since_s: float) -> int:
        """Nothing."""
        return 0


@asynccontextmanager
async def _two_doors(first: RoutingTable) -> AsyncIterator[tuple[DoorHub, tuple[int, int]]]:
    """Control's hub, and the ports of two gateways that it has given the table."""
    folder = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    hub = DoorHub(on_change=lambda: None, leases=Leases(_NothingBooked()))
    hub.push(first)

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, GatewayHello)
        await hub.answer(hello, line)

    server = await listen(folder / "c", answer)
    stop, limits = asyncio.Event(), GatewayLimits(drain_s=2.0, heartbeat_s=0.1)
    sockets = [socket.socket() for _ in range(2)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)
        sock.setblocking(False)
    ports = (sockets[0].getsockname()[1], sockets[1].getsockname()[1])
    doors = [
        asyncio.create_task(serve(sock=sock, control=folder / "c", limits=limits, stop=stop, door=f"d{port}"))
        for sock, port in zip(sockets, ports, strict=True)
    ]
    try:
        await until(lambda: len(hub.observe()) == 2, "both doors report")
        yield hub, ports
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*doors), 15)
        server.close()
        await until(lambda: not hub.observe(), "both lines are closed")
        shutil.rmtree(folder, ignore_errors=True)


async def _ask(port: int) -> int:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    await wire.send(post(chat_body(max_tokens=1)))
    status, _ = await wire.head()
    wire.writer.close()
    return status


def test_two_gateways_together_let_in_what_one_may() -> None:
    """Of sixty requests at two doors about as many pass as the limit of ten says; each has its part."""

    async def main() -> None:
        async with Engine() as engine:
            base = table(1, route("m", upstream("m-1", engine.port, 8)))
            async with _two_doors(limited(base, Limits(requests_per_minute=10))) as (hub, ports):
                loop = asyncio.get_running_loop()
                began_s = loop.time()
                answers = [(port, await _ask(port)) for _ in range(30) for port in ports]
                passed = [port for port, status in answers if status == 200]
                # one more at each door, whose part is no whole number, and what a new part brings
                assert 9 <= len(passed) <= 13 + (loop.time() - began_s) / 6
                assert min(passed.count(port) for port in ports) >= 3
                assert {status for _, status in answers} == {200, 429}
                assert len(engine.calls) == len(passed)
                assert len(hub.observe()) == 2

    run(main())
