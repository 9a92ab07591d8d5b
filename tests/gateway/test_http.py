"""HTTP/1.1 itself: framing, order, limits, deadlines, and the answers that need no engine."""

import asyncio

import pytest

from alliage.errors import BadInput
from alliage.gateway.limits import GatewayLimits
from alliage.units import GIB, KIB
from tests.gateway.house import KEY, House, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Engine, event, stream_of


def test_health_needs_no_key_and_tells_the_table() -> None:
    """Health answers before and after control was heard."""

    async def main() -> None:
        async with house(None) as place:
            await until(lambda: bool(place.control.hellos), "the gateway said hello")
            assert await place.health() == {"status": "ok", "table_version": None, "control": "connected"}
            assert (await place.ask(get("/v1/models"))).status == 503
            await place.control.swap(table(4))
            assert await place.health() == {"status": "ok", "table_version": 4, "control": "connected"}

    run(main())


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (post(chat_body(), key=None), 401, "missing_api_key"),
        (post(chat_body(), key=None, extra="Authorization: Basic eDp5\r\n"), 401, "missing_api_key"),
        (post(chat_body(), key="wrong"), 401, "invalid_api_key"),
        (get("/metrics", key=None), 401, "missing_api_key"),
        (get("/v1/models", key=""), 401, "missing_api_key"),
        (get("/v1/chat"), 404, "unknown_url"),
        (get("/v1/models/"), 404, "unknown_url"),
        (get("/"), 404, "unknown_url"),
        (get("/v1/chat/completions"), 405, "method_not_allowed"),
        (post(b"", "/health"), 405, "method_not_allowed"),
        (post(b"x" * 60_000, "/health"), 405, "method_not_allowed"),
        (post(chat_body("nope")), 404, "model_not_found"),
        (post(b"{"), 400, "invalid_body"),
        (post(b"[]"), 400, "invalid_body"),
        (post(b"{}"), 400, "invalid_body"),
        (post(b'{"model":"\xff"}'), 400, "invalid_body"),
        (post(chat_body(), extra="Content-Encoding: gzip\r\n"), 415, "encoded_body"),
    ],
)
def test_each_refusal_leaves_the_connection_usable(raw: bytes, status: int, code: str) -> None:
    """Every refusal has OpenAI's shape and a request id, and the next request on the connection is answered."""

    async def main() -> None:
        async with house(table(1, route("m", waiting="soon"))) as place:
            wire = await place.dial()
            await wire.send(raw)
            answer = await wire.answer()
            assert (answer.status, answer.code) == (status, code)
            assert set(answer.json["error"]) == {"message", "type", "param", "code"}
            assert answer.headers["x-request-id"]
            await wire.send(get("/health"))
            assert (await wire.answer()).status == 200

    run(main())


def test_wrong_methods_name_the_right_one() -> None:
    """405 carries Allow; for HEAD the answer has no body and the connection stays in step."""

    async def main() -> None:
        async with house(table(1)) as place:
            assert (await place.ask(get("/v1/completions"))).headers["allow"] == "POST"
            wire = await place.dial()
            await wire.send(get("/health", method="HEAD") + get("/health"))
            head = await wire.answer(bodyless=True)
            assert (head.status, head.headers["allow"]) == (405, "GET")
            assert (await wire.answer()).json["status"] == "ok"

    run(main())


@pytest.mark.parametrize(
    "raw",
    [
        post(b"hello", extra="Transfer-Encoding: chunked\r\n"),
        post(b"hello", extra="Content-Length: 6\r\n"),
        post(b"hello", extra="Content-Length: 5\r\n"),
        b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        b"POST /v1/completions HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
        b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello",
        b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /health HTTP/1.1\nHost: h\n\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_odd_framing_ends_the_connection(raw: bytes) -> None:
    """Whatever could be read in two ways gets a 400 and nothing after it is taken for a request."""

    async def main() -> None:
        async with house(table(1)) as place:
            wire = await place.dial()
            await wire.send(raw + get("/health"))
            answer = await wire.answer()
            assert (answer.status, answer.code) == (400, "bad_http")
            assert answer.headers["connection"] == "close"
            assert await wire.closed()

    run(main())


@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_other_versions_are_refused(version: str) -> None:
    """HTTP/2 without TLS and HTTP/0.9 get a 505."""

    async def main() -> None:
        async with house(table(1)) as place:
            answer = await place.ask(f"GET /health HTTP/{version}\r\nHost: h\r\n\r\n".encode())
            assert (answer.status, answer.code) == (505, "http_version")

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent at once, relayed and local, streams and errors, come back in their order; one is in work at a time."""

    async def main() -> None:
        behave = stream_of([event(letter) for letter in "ab"], pause_s=0.02)
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            batch = post(chat_body(stream=True)) + get("/health") + post(b"[") + post(chat_body()) + get("/nothing")
            for _ in range(3):
                await wire.send(batch)
            for _ in range(3):
                answers = [await wire.answer() for _ in range(5)]
                assert [answer.status for answer in answers] == [200, 200, 400, 200, 404]
                assert answers[0].body == event("a") + event("b")
            assert engine.connections == 1
            await place.at_rest()

    run(main())


def test_a_request_in_single_bytes_is_one_request() -> None:
    """A head and body that come byte by byte are read like any other, two in a row."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            for _ in range(2):
                for byte in post(chat_body()):
                    wire.writer.write(bytes([byte]))
                    await asyncio.sleep(0)
                assert (await wire.answer()).status == 200

    run(main())


def test_many_pipelined_requests_are_not_kept_without_bound() -> None:
    """A client that sends faster than it is answered is not read; all of it is answered in the end."""

    async def main() -> None:
        async with Engine(stream_of([event("a")], pause_s=0.2)) as engine:
            limits = GatewayLimits(pipelined_bytes_max=2 * KIB, drain_s=2)
            async with house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
                wire = await place.dial()
                number = 2000
                sending = asyncio.create_task(wire.send(post(chat_body(stream=True)) + get("/health") * number))
                assert (await wire.answer()).status == 200
                for _ in range(number):
                    assert (await wire.answer()).status == 200
                await sending

    run(main())


def test_chunked_bodies_are_taken_and_sent_on_with_a_length() -> None:
    """A chunked request with extensions and trailers reaches the engine whole, with Content-Length."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            body = chat_body()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: bearer {KEY}\r\n"
            chunks = b"%x;e=1\r\n%b\r\n%x\r\n%b\r\n" % (3, body[:3], len(body) - 3, body[3:])
            raw = (
                head.encode() + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\nAuthorization: Bearer x\r\n\r\n"
            )
            wire = await place.dial()
            for _ in range(2):
                await wire.send(raw)
                assert (await wire.answer()).status == 200
            assert [call.body for call in engine.calls] == [body, body]
            assert engine.calls[0].headers["content-length"] == str(len(body))

    run(main())


def test_expect_100_is_answered() -> None:
    """A client that waits for 100 Continue gets it; one that will be refused gets the refusal instead of it."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            raw = post(chat_body(), extra="Expect: 100-continue\r\n")
            cut = raw.index(b"\r\n\r\n") + 4
            wire = await place.dial()
            await wire.send(raw[:cut])
            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await wire.send(raw[cut:])
            assert (await wire.answer()).status == 200
            refused = await place.ask(post(chat_body(), key="no", extra="Expect: 100-continue\r\n")[:cut])
            assert refused.status == 401

    run(main())


def test_http_1_0_closes_unless_told() -> None:
    """HTTP/1.0 gets unchunked answers: a length where there is one, the end of the connection elsewhere."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(), version="1.0", extra="Connection: keep-alive\r\n"))
            answer = await wire.answer()
            assert answer.headers["connection"] == "keep-alive"
            await wire.send(post(chat_body(stream=True), version="1.0", extra="Connection: keep-alive\r\n"))
            answer = await wire.answer()
            assert "transfer-encoding" not in answer.headers
            assert answer.body.endswith(b"[DONE]\n\n")
            closing = await place.dial()
            await closing.send(post(chat_body(), version="1.0"))
            assert (await closing.answer()).headers["connection"] == "close"
            assert await closing.closed()

    run(main())


def test_connection_close_is_obeyed() -> None:
    """`Connection: close` is answered and then done, what came after it is not."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            for body in (chat_body(), chat_body(stream=True), b"["):
                wire = await place.dial()
                await wire.send(post(body, extra="Connection: close\r\n"))
                assert (await wire.answer()).headers["connection"] == "close"
                assert await wire.closed()

    run(main())


@pytest.mark.parametrize("wish", ["h2c", "websocket"])
def test_a_wish_to_upgrade_is_ignored(wish: str) -> None:
    """Clients that offer HTTP/2 over plain text first (Java's does) are answered in HTTP/1.1, body and all."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            raw = post(
                chat_body(), extra=f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {wish}\r\nHTTP2-Settings: x\r\n"
            )
            wire = await place.dial()
            await wire.send(raw)
            assert (await wire.answer()).status == 200
            await wire.send(raw[:-5])
            await asyncio.sleep(0.01)
            await wire.send(raw[-5:] + get("/health"))
            assert (await wire.answer()).status == 200
            assert (await wire.answer()).json["status"] == "ok"
            assert [call.body for call in engine.calls] == [chat_body()] * 2

    run(main())


def test_too_large_a_head_is_refused() -> None:
    """431 for a head above the limit, in one piece or in many; a large body behind a small head is no large head."""

    async def main() -> None:
        limits = GatewayLimits(head_bytes_max=2 * KIB, drain_s=2)
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
            for step in (10_000, 100):
                wire = await place.dial()
                raw = get("/health", extra=f"X: {'x' * 2500}\r\n")
                for start in range(0, len(raw), step):
                    await wire.send(raw[start : start + step])
                    await asyncio.sleep(0)
                answer = await wire.answer()
                assert (answer.status, answer.code) == (431, "headers_too_large")
                assert await wire.closed()
            raw = post(chat_body(padding="y" * 9000), extra=f"X: {'x' * 1500}\r\n")
            for cut in (len(raw), raw.index(b"\r\n\r\n") + 3, 500):
                wire = await place.dial()
                await wire.send(raw[:cut])
                await asyncio.sleep(0.01)
                await wire.send(raw[cut:])
                assert (await wire.answer()).status == 200

    run(main())


async def _pour(place: House, raw: bytes, size: int) -> tuple[int, str]:
    """Send a request that is refused while it is still being sent."""
    wire = await place.dial()
    await wire.send(raw)
    sending = asyncio.create_task(wire.send(b"x" * size))
    answer = await wire.answer()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    wire.writer.close()
    return answer.status, answer.code


def test_too_large_a_body_is_refused_while_it_comes() -> None:
    """413 by the announced length at once, and by what has come for a chunked body; the client can read it while it sends."""

    async def main() -> None:
        limits = GatewayLimits(body_bytes_max=100 * KIB, drain_s=2)
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\n"
            announced = head + f"Content-Length: {50_000_000}\r\n\r\n"
            assert await _pour(place, announced.encode(), 10_000_000) == (413, "request_too_large")
            chunked = head + f"Transfer-Encoding: chunked\r\n\r\n{50_000_000:x}\r\n"
            assert await _pour(place, chunked.encode(), 10_000_000) == (413, "request_too_large")
            assert (await place.chat(padding="y" * 99 * KIB)).status == 200
            assert len(engine.calls) == 1

    run(main())


def test_slow_requests_are_ended() -> None:
    """A head or body that does not come gets a 408, an idle connection is closed without a word."""

    async def main() -> None:
        limits = GatewayLimits(head_s=0.2, body_stall_s=0.2, idle_s=0.2, drain_s=2)
        async with house(table(1), limits) as place:
            for raw in (b"GET /hea", post(b"12345")[:-2]):
                wire = await place.dial()
                await wire.send(raw)
                answer = await wire.answer()
                assert (answer.status, answer.code) == (408, "request_timeout")
                assert await wire.closed()
            idle = await place.dial()
            assert await idle.closed()

    run(main())


def test_above_the_limit_connections_get_a_clean_no() -> None:
    """One connection too many gets 503 and is closed; those that are there are served, and its place is free again later."""

    async def main() -> None:
        limits = GatewayLimits(connections_max=3, drain_s=2)
        async with house(table(1), limits) as place:
            wires = [await place.dial() for _ in range(3)]
            for wire in wires:
                await wire.send(get("/health"))
                assert (await wire.answer()).status == 200
            answer = await place.ask(get("/health"))
            assert (answer.status, answer.code) == (503, "too_many_connections")
            assert answer.headers["connection"] == "close"
            wires.pop().writer.close()
            for _ in range(500):
                status = (await place.ask(get("/health"))).status
                if status == 200:
                    break
                await asyncio.sleep(0.01)
            assert status == 200

    run(main())


def test_limits_must_be_above_zero() -> None:
    """A limit of zero names itself."""
    with pytest.raises(BadInput, match="idle_s is 0"):
        GatewayLimits(idle_s=0)


def test_limits_must_not_contradict() -> None:
    """Of two that do both are named."""
    with pytest.raises(BadInput, match="write_low_bytes is 65536 and write_high_bytes is 32768"):
        GatewayLimits(write_high_bytes=32 * KIB)
    with pytest.raises(BadInput, match="body_bytes_max is 2147483648 and bodies_bytes_max is 1073741824"):
        GatewayLimits(body_bytes_max=2 * GIB)
    assert GatewayLimits(write_high_bytes=32 * KIB, write_low_bytes=32 * KIB).write_low_bytes == 32 * KIB


@pytest.mark.parametrize(
    ("head", "length", "status", "code"),
    [
        ("GET /health", 3, 400, "body_not_taken"),
        ("GET /v1/models", 33_554_432, 400, "body_not_taken"),
        ("POST /health", 33_554_432, 405, "method_not_allowed"),
        ("POST /health", 9 * 10**18, 413, "request_too_large"),
        ("POST /nowhere", 70_000, 404, "unknown_url"),
        ("POST /nowhere", 9 * 10**18, 413, "request_too_large"),
        ("POST /v1/completions", 70_000, 401, "missing_api_key"),
    ],
)
def test_a_body_that_nobody_will_read_is_not_waited_for(head: str, length: int, status: int, code: str) -> None:
    """Where a large body is refused by its head the answer comes before the body, and the connection ends."""

    async def main() -> None:
        async with house(table(1)) as place:
            wire = await place.dial()
            await wire.send(f"{head} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n".encode())
            answer = await wire.answer()
            assert (answer.status, answer.code) == (status, code)
            assert answer.headers["connection"] == "close"
            assert await wire.closed()

    run(main())


def test_a_body_that_trickles_is_ended() -> None:
    """A byte now and then does not hold a connection for ever."""

    async def main() -> None:
        limits = GatewayLimits(body_s=0.3, drain_s=2)
        async with house(table(1), limits) as place:
            wire = await place.dial()
            await wire.send(post(b"x" * 10_000)[:-9_000])

            async def trickle() -> None:
                while True:
                    await wire.send(b"x")
                    await asyncio.sleep(0.01)

            trickling = asyncio.create_task(trickle())
            answer = await asyncio.wait_for(wire.answer(), 5)
            trickling.cancel()
            await asyncio.gather(trickling, return_exceptions=True)
            assert (answer.status, answer.code) == (408, "request_timeout")

    run(main())


def test_trailers_without_end_end_the_connection() -> None:
    """They need no key, so they are neither kept nor read for ever."""

    async def main() -> None:
        async with house(table(1)) as place:
            head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nt: "
            assert await _pour(place, head.encode(), 10_000_000) == (431, "headers_too_large")

    run(main())


def test_thousands_of_wishes_to_upgrade_are_answered() -> None:
    """Sent at once and without a key, each gets its answer."""

    async def main() -> None:
        async with house(table(1)) as place:
            wire = await place.dial()
            wish = get("/health", key=None, extra="Upgrade: x\r\nConnection: upgrade\r\n")
            sending = asyncio.create_task(wire.send(wish * 3500))
            for _ in range(3500):
                assert (await wire.answer()).status == 200
            await sending

    run(main())
