"""Slow readers: an engine is read no faster than its client reads, and memory stays bounded."""

import asyncio
import resource
import socket

from alliage.gateway.limits import GatewayLimits
from alliage.units import KIB, MIB
from tests.gateway.house import Wire, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, event

_SIZE = 64 * MIB
_SMALL = GatewayLimits(write_high_bytes=64 * KIB, write_low_bytes=16 * KIB, upstream_stall_s=0.4, drain_s=2)


class _Flood:
    """An engine that sends as much as it can; `sent` says how much it got rid of."""

    def __init__(self, *, stream: bool) -> None:
        self.sent = 0
        self._stream = stream

    async def __call__(self, call: Call) -> None:
        piece = event("x" * 20_000)
        if self._stream:
            await call.begin_stream()
        else:
            await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (_SIZE // len(piece) * len(piece)))
        for _ in range(_SIZE // len(piece)):
            await (call.chunk(piece) if self._stream else call.send(piece))
            self.sent += len(piece)
        if self._stream:
            await call.end_stream()


async def _slow_client(port: int) -> Wire:
    """A connection whose own buffers are small, so that what is not read stays with the gateway."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return Wire(*await asyncio.open_connection(sock=sock, limit=16 * KIB))


async def _settled(flood: _Flood) -> int:
    """How much the engine got rid of before it stood still."""
    before, still = -1, 0
    while still < 10:
        await asyncio.sleep(0.05)
        still = still + 1 if flood.sent == before else 0
        before = flood.sent
    return before


def test_an_engine_waits_for_its_client() -> None:
    """A client that does not read stops the engine after a few MB of socket buffers; then all of it comes, in order."""

    async def main() -> None:
        for stream in (True, False):
            flood = _Flood(stream=stream)
            async with (
                Engine(flood) as engine,
                house(table(1, route("m", upstream("m-1", engine.port))), _SMALL) as place,
            ):
                wire = await _slow_client(place.port)
                await wire.send(post(chat_body(stream=stream)) + get("/health"))
                await until(lambda flood=flood: flood.sent > 0, "the engine began")  # type: ignore[misc]
                before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                assert (
                    await _settled(flood) < _SIZE / 3
                )  # longer than the stall limit: waiting is not the engine's fault
                assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 16 * KIB
                _, headers = await wire.head()
                got = 0
                if stream:
                    while piece := await wire.chunk():
                        got += len(piece)
                else:
                    await wire.reader.readexactly(got := int(headers["content-length"]))
                assert got == flood.sent
                assert (await wire.answer()).status == 200
                wire.writer.close()
                await place.at_rest()

    run(main())


def test_a_connection_that_was_paused_serves_again() -> None:
    """After a slow client the engine's kept connection is read again for the next one."""

    async def main() -> None:
        big = b'{"x":"' + b"y" * MIB + b'"}'

        async def behave(call: Call) -> None:
            await call.answer(big)

        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port))), _SMALL) as place:
            for _ in range(5):
                wire = await _slow_client(place.port)
                await wire.send(post(chat_body()))
                await asyncio.sleep(0.05)
                assert (await wire.answer()).body == big
                wire.writer.close()
            assert engine.connections == 1

    run(main())


def test_a_client_that_never_reads_is_cut_off() -> None:
    """After send_stall_s the client is let go and the engine is told."""

    async def main() -> None:
        flood = _Flood(stream=True)
        limits = GatewayLimits(write_high_bytes=64 * KIB, write_low_bytes=16 * KIB, send_stall_s=0.3, drain_s=2)
        async with Engine(flood) as engine, house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
            wire = await _slow_client(place.port)
            await wire.send(post(chat_body(stream=True)))
            await until(lambda: bool(engine.calls) and engine.calls[0].gone.is_set(), "the engine was let go")
            await place.at_rest()
            wire.writer.close()

    run(main())


def test_a_slow_reader_gets_the_end_of_a_closing_answer() -> None:
    """`Connection: close` does not cut an answer that is still being read after the linger time."""

    async def main() -> None:
        big = b'{"x":"' + b"y" * 4 * MIB + b'"}'

        async def behave(call: Call) -> None:
            await call.answer(big)

        limits = GatewayLimits(linger_s=0.1, drain_s=2)
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
            wire = await _slow_client(place.port)
            await wire.send(post(chat_body(), extra="Connection: close\r\n"))
            await asyncio.sleep(0.5)
            assert (await wire.answer()).body == big
            wire.writer.close()

    run(main())


def test_large_bodies_are_kept_up_to_a_sum() -> None:
    """One too many gets 503 with Retry-After; room is made by a begun answer, a client that left and a refusal."""
    limits = GatewayLimits(body_bytes_max=200 * KIB, bodies_bytes_max=250 * KIB, hold_s=5, drain_s=2)
    large = post(chat_body(padding="y" * 150 * KIB))

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", waiting="soon")), limits) as place:
            for version in range(2, 4):
                held = await place.dial()
                await held.send(large)
                await place.holds(1)
                refused = await place.ask(large)
                assert (refused.status, refused.code) == (503, "no_room")
                assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
                assert (await place.ask(post(chat_body("none")))).status == 404
                if version == 2:
                    held.writer.close()
                    await place.holds(0)
            await place.control.swap(table(4, route("m", upstream("m-1", engine.port))))
            assert (await held.answer()).status == 200
            for model, status in (("none", 404), ("none", 404), ("m", 200), ("m", 200)):
                assert (await place.chat(model, padding="y" * 150 * KIB)).status == status

    run(main())
