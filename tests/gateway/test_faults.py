"""Engines that die, stall, lie or close: every request ends once, with a clear error, and the counts return to 0."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import chat_body, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Behaviour, Call, Engine, chat, event, stream_of, usage_event

_QUICK = GatewayLimits(upstream_head_s=0.4, upstream_stall_s=0.4, upstream_connect_s=0.4, hold_s=0.5, drain_s=2.0)


async def _cut(call: Call) -> None:
    call.cut()


async def _close(call: Call) -> None:
    call.writer.close()


async def _garbage(call: Call) -> None:
    await call.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def _half_a_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    call.writer.close()


async def _bad_lengths(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


async def _key_refused(call: Call) -> None:
    await call.answer(b'{"error":"bad key"}', status="401 Unauthorized")


async def _switch(call: Call) -> None:
    await call.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n????")


@pytest.mark.parametrize("bad", [_cut, _close, _garbage, _half_a_head, _bad_lengths, _key_refused, _switch])
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_answer_is_tried_once_elsewhere(bad: Behaviour, *, stream: bool) -> None:
    """With a second replica the client sees nothing of it; without one it gets a 502 that says why, after one try."""

    async def main() -> None:
        async with Engine(bad) as ill, Engine() as well:
            first, second = upstream("a", ill.port), upstream("b", well.port)
            async with house(table(1, route("m", first, second))) as place:
                answer = await place.chat(stream=stream)
                assert answer.status == 200
                assert (len(ill.calls), len(well.calls)) == (1, 1)
                await place.control.swap(table(2, route("m", first)))
                answer = await place.chat(stream=stream)
                assert (answer.status, answer.code) == (502, "upstream_failed")
                assert "The engine of 'm' failed: " in answer.json["error"]["message"]
                assert len(ill.calls) == 2
                await place.at_rest()
                assert (await place.metrics())['alliage_gateway_retried_total{service="m"}'] == 2

    run(main())


def test_two_failures_are_the_end() -> None:
    """A third replica is not asked: two engines that failed on one request may well fail because of it."""

    async def main() -> None:
        async with Engine(_cut) as one, Engine(_cut) as two, Engine() as three:
            ports = [upstream(name, engine.port) for name, engine in (("a", one), ("b", two), ("c", three))]
            async with house(table(1, route("m", *ports))) as place:
                assert (await place.chat()).status == 502
                assert (len(one.calls), len(two.calls), len(three.calls)) == (1, 1, 0)
                await place.at_rest()

    run(main())


def test_an_engine_that_is_not_there() -> None:
    """Whoever waited in vain for another gets a 502 that says what is wrong, and may go on with the connection."""

    async def main() -> None:
        async with Engine() as engine:
            port = engine.port
        limits = GatewayLimits(hold_s=0.1, drain_s=2)
        async with house(table(1, route("m", upstream("m-1", port))), limits) as place:
            wire = await place.dial()
            for _ in range(3):
                await wire.send(post(chat_body()))
                answer = await wire.answer()
                assert (answer.status, answer.code) == (502, "upstream_failed")
                assert "cannot be reached" in answer.json["error"]["message"]
            await place.at_rest()

    run(main())


@pytest.mark.parametrize("close", [Engine.cut_all, None])
def test_a_kept_connection_that_closed_is_not_a_failure(close: Callable[[Engine], None] | None) -> None:
    """An engine may close an idle connection at any time, also just as the next request is sent: it is sent again."""

    async def main() -> None:
        asked = 0

        async def behave(call: Call) -> None:
            nonlocal asked
            asked += 1
            if close is None and asked % 2 == 0:
                call.writer.close()  # as if it had closed before it could see the request
            else:
                await chat(call)

        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            for _ in range(4):
                assert (await place.chat()).status == 200
                if close is not None:
                    close(engine)
            await place.at_rest()
            assert (await place.metrics())['alliage_gateway_retried_total{service="m"}'] == 0

    run(main())


def test_a_stream_that_dies_ends_with_an_error_event() -> None:
    """The client gets all events that came whole, an error it can read, a proper end, and may go on with the connection."""

    async def die(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(event("a"))
        await call.chunk(event("b")[:20])
        call.writer.close()

    async def main() -> None:
        async with Engine(die) as engine, Engine() as other:
            first, second = upstream("a", engine.port), upstream("b", other.port)
            async with house(table(1, route("m", first, second))) as place:
                wire = await place.dial()
                await wire.send(post(chat_body(stream=True)))
                answer = await wire.answer()
                assert answer.body.startswith(event("a") + b'data: {"error":')
                error = json.loads(answer.body.removeprefix(event("a") + b"data: "))["error"]
                assert (error["code"], error["type"]) == ("upstream_failed", "server_error")
                assert not other.calls
                engine.behave = chat
                await wire.send(post(chat_body()))
                assert (await wire.answer()).status == 200
                await place.at_rest()
                assert (await place.metrics())['alliage_gateway_broken_total{service="m"}'] == 1

    run(main())


def test_a_body_that_dies_is_cut_short() -> None:
    """An answer of known length that cannot be finished closes the connection, so that nobody takes it for whole."""

    async def die(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.05)
        call.cut()

    async def main() -> None:
        async with Engine(die) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()))
            status, headers = await wire.head()
            assert (status, headers["content-length"]) == (200, "100")
            assert await asyncio.wait_for(wire.reader.read(), 5) == b"{"
            await place.at_rest()

    run(main())


async def _silent(call: Call) -> None:
    await call.gone.wait()


async def _stalled(call: Call) -> None:
    await call.begin_stream()
    await call.chunk(event("a"))
    await call.gone.wait()


def test_an_engine_that_does_not_begin_times_out() -> None:
    """504 after the limit, and the engine's connection is closed so that it stops."""

    async def main() -> None:
        async with (
            Engine(_silent) as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), _QUICK) as place,
        ):
            answer = await place.chat()
            assert (answer.status, answer.code) == (504, "upstream_timeout")
            await until(engine.calls[0].gone.is_set, "the engine's connection is closed")
            await place.at_rest()

    run(main())


def test_a_stream_that_stalls_is_ended() -> None:
    """A stream that brings nothing for the limit ends with an error event."""

    async def main() -> None:
        async with (
            Engine(_stalled) as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), _QUICK) as place,
        ):
            answer = await place.chat(stream=True)
            assert answer.body.startswith(event("a") + b'data: {"error":')
            assert b"sent nothing for 0.4 s" in answer.body
            await until(engine.calls[0].gone.is_set, "the engine's connection is closed")
            await place.at_rest()

    run(main())


def test_an_engine_that_does_not_accept_times_out() -> None:
    """A host that swallows connections is a failure after the limit, and the other replica is asked."""

    async def main() -> None:
        deaf = socket.socket()
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        plugs = [socket.socket() for _ in range(4)]  # they fill the queue of connections that nobody accepts
        try:
            for plug in plugs:
                plug.setblocking(False)
                plug.connect_ex(address)
            async with Engine() as well:
                ports = upstream("a", address[1]), upstream("b", well.port)
                async with house(table(1, route("m", *ports)), _QUICK) as place:
                    assert (await place.chat()).status == 200
                    assert (await place.metrics())['alliage_gateway_retried_total{service="m"}'] == 1
                    await place.at_rest()
        finally:
            for plug in (*plugs, deaf):
                plug.close()

    run(main())


async def _gone_while(act: Callable[[Call], Awaitable[None]], body: bytes) -> None:
    async with Engine(act) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
        wire = await place.dial()
        await wire.send(post(body))
        await until(lambda: bool(engine.calls), "the engine was asked")
        await asyncio.sleep(0.02)
        wire.writer.close()
        await until(engine.calls[0].gone.is_set, "the engine's connection is closed")
        await place.at_rest()
        assert (await place.metrics())['alliage_gateway_requests_total{service="m",status="499"}'] == 1


def test_a_client_that_leaves_stops_the_engine() -> None:
    """Before the answer or in the middle of a stream: the engine's connection is closed at once."""
    run(_gone_while(_silent, chat_body()))
    run(_gone_while(_stalled, chat_body(stream=True)))


def test_a_second_answer_is_not_the_next_request_s() -> None:
    """What an engine sends beyond its answer is thrown away with its connection, never given to the next client."""

    async def twice(call: Call) -> None:
        body = json.dumps({"for": call.headers["x-request-id"]}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        await call.send(head + body + head + b'{"for": "nobody"}'.ljust(len(body)))

    async def main() -> None:
        async with Engine(twice) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            for number in range(5):
                answer = await place.ask(post(chat_body(), extra=f"X-Request-Id: n{number}\r\n"))
                assert answer.json == {"for": f"n{number}"}

    run(main())


def test_a_storm_of_everything_leaves_nothing_behind() -> None:
    """Many clients, some leaving, on engines of which one keeps dying: counts return to 0, no connection is left."""

    async def main() -> None:
        slow = stream_of([event("a"), event("b"), usage_event(), event("c")], pause_s=0.01)
        async with Engine(slow) as one, Engine(slow) as two:
            first, second = upstream("a", one.port), upstream("b", two.port)
            async with house(table(1, route("m", first, second))) as place:

                async def client(number: int) -> int:
                    wire = await place.dial()
                    await wire.send(post(chat_body(stream=True)))
                    if number % 3 == 0:
                        await asyncio.sleep(number % 7 * 0.005)
                        wire.writer.close()
                        return 499
                    answer = await wire.answer()
                    wire.writer.close()
                    assert answer.status != 200 or answer.body.count(b"data: ") in {1, 2, 3, 4}
                    return answer.status

                async def killer() -> None:
                    for _ in range(10):
                        await asyncio.sleep(0.01)
                        one.cut_all()

                *statuses, _ = await asyncio.gather(*(client(number) for number in range(120)), killer())
                assert set(statuses) <= {200, 499, 502}
                await place.at_rest()
                await until(
                    lambda: len(one.open) + len(two.open) <= 8, "engine connections beyond the kept ones closed"
                )
                metrics = await place.metrics()
                assert metrics["alliage_gateway_connections"] == 1
                ended = sum(value for name, value in metrics.items() if 'requests_total{service="m"' in name)
                assert ended == 120

    run(main())
