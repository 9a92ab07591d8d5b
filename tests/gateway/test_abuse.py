"""Clients and engines that mean no good, over real sockets: each gets a clear no and an end, and others are served meanwhile."""

import asyncio
import json
from collections.abc import Callable

import pytest

from alliage.fleet.routing import RoutingTable
from alliage.gateway.limits import GatewayLimits
from tests.gateway.abuses import ABUSES
from tests.gateway.fuzz_corpus import FRAMINGS
from tests.gateway.fuzz_targets import our_requests
from tests.gateway.house import KEY, House, Wire, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Behaviour, Call, Engine, chat, event

_LIMITS = GatewayLimits(head_s=0.4, body_stall_s=0.4, idle_s=5, linger_s=0.2, drain_s=2)
_NOBODY = "anything but the key of this test"


def _one(engine: Engine) -> RoutingTable:
    return table(1, route("m", upstream("m-1", engine.port)))


def test_no_framing_smuggles_a_request() -> None:
    """Each odd framing gets as many answers as requests are in it by both readers of the fuzzer, then a refusal that closes."""

    async def main() -> None:
        async with house(table(1, route("m", waiting="soon"))) as place:
            for raw in FRAMINGS:
                read, end = our_requests([raw])
                wire = await place.dial()
                await wire.send(raw)
                for _ in read:
                    assert (await wire.answer()).status in {200, 401}, raw
                if end != "waits":
                    last = await wire.answer()
                    assert last.status in {400, 401}, raw
                    assert last.headers["connection"] == "close", raw
                    assert await wire.closed(), raw
                wire.writer.close()
            await place.alone()

    run(main())


@pytest.mark.parametrize("twice", ["Authorization", "Host", "Content-Encoding"])
def test_a_header_in_two_spellings_is_refused(twice: str) -> None:
    """Of two readers one would go by the first, the other by the second; of other headers it does not matter."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine)) as place:
            answer = await place.ask(post(chat_body(), extra=f"{twice}: x\r\n{twice.lower()}: y\r\n"))
            assert (answer.status, answer.code) == (400, "bad_http")
            assert answer.headers["x-request-id"]
            answer = await place.ask(post(chat_body(), extra="X-Forwarded-For: a\r\nx-forwarded-for: b\r\n"))
            assert answer.status == 200

    run(main())


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    """A second key does not replace the first, whichever of them is right."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine)) as place:
            second = f"Authorization: Bearer {_NOBODY}\r\n"
            assert (await place.ask(post(chat_body(), extra=second))).status == 200
            assert (
                await place.ask(post(chat_body(), key=_NOBODY, extra=f"Authorization: Bearer {KEY}\r\n"))
            ).status == 401

    run(main())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 100_000, "Expected `object`"),
        (b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"model":' + b'{"a":' * 50_000, "Expected `str`"),
        (b'{"model":"m","x":"\xff"}', "not UTF-8 at byte 18"),
        (b'{"model":"m","x":"\xed\xa0\x80"}', "not UTF-8 at byte 18"),
        (b'{"model":"\xc0\xaf"}', "not UTF-8 at byte 10"),
        (b'{"model":"m"' + b" " * 60_000, "truncated"),
        (b"\x00" * 1000, "malformed"),
    ],
)
def test_bodies_that_are_no_request(body: bytes, said: str) -> None:
    """Too deep, no UTF-8, without an end: a 400 that says what is wrong, and the connection serves on."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine)) as place:
            wire = await place.dial()
            await wire.send(post(body))
            answer = await wire.answer()
            assert (answer.status, answer.code) == (400, "invalid_body")
            assert said in answer.json["error"]["message"]
            await wire.send(post(chat_body()))
            assert (await wire.answer()).status == 200

    run(main())


async def _drip(place: House, raw: bytes, every_s: float) -> int:
    """Send a byte now and then; the status that comes."""
    wire = await place.dial()

    async def send() -> None:
        for number in range(len(raw)):
            await wire.send(raw[number : number + 1])
            await asyncio.sleep(every_s)

    sending = asyncio.create_task(send())
    answer = await wire.answer()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    wire.writer.close()
    return answer.status


def test_many_slow_clients_cost_their_places_only() -> None:
    """200 that drip their heads get a 408 each, however steadily they drip; who is quick is answered meanwhile."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine), _LIMITS) as place:
            slow = [asyncio.create_task(_drip(place, get("/health", extra="X: y\r\n" * 50), 0.05)) for _ in range(200)]
            for _ in range(20):
                assert (await place.chat()).status == 200
            assert set(await asyncio.gather(*slow)) == {408}
            await place.alone()

    run(main())


@pytest.mark.parametrize("raw", [b"", b"GET /he", post(chat_body())[:-5]])
def test_half_open_clients_are_forgotten(raw: bytes) -> None:
    """Who sends the end of its side, before, in or after a request's head, is let go at once and keeps nothing here."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine)) as place:
            for _ in range(20):
                wire = await place.dial()
                await wire.send(raw)
                wire.writer.write_eof()
                assert await wire.closed()
            await place.alone()
            assert not engine.calls

    run(main())


async def _endless(call: Call, head: bytes, piece: bytes) -> None:
    """The beginning, then more and more of it until the gateway has enough."""
    await call.send(head)
    while not call.gone.is_set():
        await call.send(piece)
        await asyncio.sleep(0)


def _endless_head(piece: Callable[[int], bytes], head: bytes = b"HTTP/1.1 200 OK\r\n") -> Behaviour:
    async def behave(call: Call) -> None:
        await _endless(call, head, b"".join(map(piece, range(1000))))

    return behave


@pytest.mark.parametrize(
    "bad",
    [
        _endless_head(lambda number: b"x-%d: %b\r\n" % (number, b"y" * 50)),
        _endless_head(lambda _: b"y" * 60, b"HTTP/1.1 200 OK\r\nx: "),
        _endless_head(lambda _: b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    ],
)
def test_an_engine_whose_head_never_ends_has_failed(bad: Behaviour) -> None:
    """Many headers, one, or one provisional answer after another: after a MiB another replica is asked, and nothing is kept."""

    async def main() -> None:
        async with Engine(bad) as ill, Engine() as well:
            both = route("m", upstream("a", ill.port), upstream("b", well.port))
            async with house(table(1, both)) as place:
                assert (await place.chat()).status == 200
                await until(lambda: all(call.gone.is_set() for call in ill.calls), "the engine is let go")
                assert len(ill.calls) == 1
                await place.at_rest()

    run(main())


def test_trailers_without_end_break_the_answer_off() -> None:
    """They come behind the body, so the answer has begun: it ends with an error event, and the engine is let go."""

    async def bad(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(event("a"))
        await _endless(call, b"0\r\n", b"t: %b\r\n" % (b"v" * 10_000))

    async def main() -> None:
        async with Engine(bad) as engine, house(_one(engine)) as place:
            answer = await place.chat(stream=True, n=2)
            assert b"more than 1 MiB of headers" in answer.body
            await until(engine.calls[0].gone.is_set, "the engine is let go")
            await place.at_rest()

    run(main())


def _lie(head: bytes, body: bytes) -> Behaviour:
    async def behave(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n\r\n" + body)
        call.writer.close()

    return behave


async def _is_whole(wire: Wire) -> bool:
    """Whether an answer comes that looks like one to its end."""
    try:
        return (await wire.answer()).status != 502
    except (asyncio.IncompleteReadError, OSError, ValueError):
        return False


@pytest.mark.parametrize(
    "bad",
    [
        _lie(b"Content-Length: 100", b'{"x":1}'),
        _lie(b"Transfer-Encoding: chunked", b"ff\r\nshort\r\n"),
        _lie(b"Transfer-Encoding: chunked", b"5\r\nhello\r\nzz\r\n"),
        _lie(b"Transfer-Encoding: chunked", b"5\r\nhello!\r\n0\r\n\r\n"),
    ],
)
def test_an_answer_shorter_or_other_than_it_says_is_never_whole(bad: Behaviour) -> None:
    """The client sees a refusal or a cut, not an end; the next request is answered."""

    async def main() -> None:
        async with Engine(bad) as engine, house(_one(engine), GatewayLimits(hold_s=0.3, drain_s=2)) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()))
            assert not await _is_whole(wire)
            engine.behave = chat
            assert (await place.chat()).status == 200
            await place.at_rest()

    run(main())


def test_more_than_an_answer_says_reaches_nobody() -> None:
    """What an engine sends behind its length is neither in this answer nor in the next."""

    async def bad(call: Call) -> None:
        await call.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
        )

    async def main() -> None:
        async with Engine(bad) as engine, house(_one(engine)) as place:
            for _ in range(3):
                assert (await place.chat()).body == b"{}"
            assert engine.connections == 3

    run(main())


def test_a_key_that_is_revoked_in_the_middle() -> None:
    """What is being answered runs to its end; the same key's next request, also on that connection, and one that waits are refused."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b"))
            await call.end_stream()

        async with Engine(behave) as engine:
            routes = (route("m", upstream("m-1", engine.port)), route("later", waiting="soon"))
            async with house(table(1, *routes)) as place:
                wire, waiting = await place.dial(), await place.dial()
                await wire.send(post(chat_body(stream=True)))
                assert (await wire.head())[0] == 200
                await waiting.send(post(chat_body("later")))
                await place.holds(1)
                await place.control.swap(table(2, *routes, keys=("another",)))
                assert (await waiting.answer()).code == "invalid_api_key"
                go.set()
                said = b""
                while piece := await wire.chunk():
                    said += piece
                assert said.count(b"content") == 2
                await wire.send(post(chat_body()))
                assert (await wire.answer()).code == "invalid_api_key"

    run(main())


def test_all_at_once_and_others_are_served() -> None:
    """Every abuse ten times, beside them chats: these are answered right, and in the end nothing is left."""

    async def main() -> None:
        async with Engine() as engine, house(_one(engine)) as place:
            abuse = [asyncio.create_task(one(place)) for one in ABUSES * 10]
            for _ in range(40):
                answer = await place.chat()
                assert json.loads(answer.body)["choices"][0]["message"]["content"] == "abcde"
            await asyncio.gather(*abuse)
            place.hang_up()
            await place.alone()
            await place.at_rest()

    run(main())
