"""One request from client to engine and back: what passes, what is added, what is taken out."""

import asyncio
import json

import pytest

from alliage.catalog.records import Task
from alliage.fleet.keys import Role
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import ENGINE_KEY, KEY, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import DONE, Call, Engine, event, stream_of, usage_event


def test_a_chat_passes_whole_with_the_engine_s_own_key() -> None:
    """The body reaches the engine byte for byte with its key, never the client's, and the answer comes back the same."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            body = b'{ "model":"m","messages":[],"n":1.0,"x":"\\u00e9\xc3\xa9" }'
            answer = await place.ask(
                post(body, extra="X-Request-Id: mine-1\r\nCookie: c\r\nAccept: application/json\r\n")
            )
            assert answer.status == 200
            assert answer.json["choices"][0]["message"]["content"] == "abcde"
            assert answer.headers["x-request-id"] == "mine-1"
            call = engine.calls[0]
            assert call.body == body
            assert call.headers == {
                "host": f"127.0.0.1:{engine.port}",
                "authorization": f"Bearer {ENGINE_KEY}",
                "content-type": "application/json",
                "accept": "application/json",
                "x-request-id": "mine-1",
                "content-length": str(len(body)),
            }

    run(main())


@pytest.mark.parametrize("given", ["", "X-Request-Id: with space\r\n", f"X-Request-Id: {'x' * 200}\r\n"])
def test_a_request_without_a_sane_id_gets_one(given: str) -> None:
    """A missing or odd request id is replaced, and both sides get the same."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.ask(post(chat_body(), extra=given))
            assert answer.headers["x-request-id"].startswith("req-")
            assert engine.calls[0].headers["x-request-id"] == answer.headers["x-request-id"]

    run(main())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"", b"*/*"),
        (b"Accept: \r\n", b"*/*"),
        (b"Accept: text/event-stream, */*;q=0.1\r\n", b"text/event-stream, */*;q=0.1"),
        (b"Accept: \xff\r\n", b"*/*"),
        (b"Accept: a\tb\r\n", b"*/*"),
        (b"Accept: " + b"a" * 256 + b"\r\n", b"a" * 256),
        (b"Accept: " + b"a" * 257 + b"\r\n", b"*/*"),
    ],
)
def test_only_a_sane_accept_is_passed_on(given: bytes, sent: bytes) -> None:
    """Engines answer an empty 400 to headers that they do not read, so such a one does not reach them."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            raw = post(chat_body()).replace(b"\r\nHost: h\r\n", b"\r\nHost: h\r\n" + given, 1)
            assert (await place.ask(raw)).status == 200
            assert engine.calls[0].headers["accept"] == sent.decode()

    run(main())


@pytest.mark.parametrize("first", [True, False])
def test_tokens_of_a_large_answer_are_counted(*, first: bool) -> None:
    """Usage before or behind megabytes of vectors, wherever the pieces are cut, is found as it passes."""
    data = [{"object": "embedding", "index": n, "embedding": [0.123456789] * 1024} for n in range(200)]
    usage = {"prompt_tokens": 1234, "total_tokens": 1234}
    answer = {"usage": usage, "data": data} if first else {"data": data, "usage": usage}
    body = json.dumps(answer).encode()

    async def behave(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        for piece in (body[:40], body[40:-20], body[-20:]):
            await call.send(piece)
            await asyncio.sleep(0.02)

    async def main() -> None:
        async with Engine(behave) as engine:
            embed = route("m", upstream("e", engine.port), tasks=(Task.EMBED,))
            async with house(table(1, embed)) as place:
                got = await place.ask(post(json.dumps({"model": "m", "input": "x"}).encode(), "/v1/embeddings"))
                assert got.body == body
                metrics = await place.metrics()
                assert metrics['alliage_gateway_tokens_total{kind="prompt",service="m"}'] == 1234

    run(main())


def test_a_stream_loses_only_the_usage_that_nobody_asked_for() -> None:
    """Usage is asked of the engine and taken out for the client; all else passes byte for byte; the count is kept."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.chat(stream=True)
            assert engine.calls[0].json["stream_options"] == {"include_usage": True}
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.body == b"".join(map(event, "abcde")) + DONE
            metrics = await place.metrics()
            assert metrics['alliage_gateway_tokens_total{kind="output",service="m"}'] == 4
            assert metrics['alliage_gateway_streamed_total{service="m"}'] == 1

    run(main())


def test_a_client_that_asks_for_usage_gets_every_byte() -> None:
    """With include_usage of the client's own nothing is changed in either direction, and tokens are still counted."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            body = chat_body(stream=True, stream_options={"include_usage": True})
            answer = await place.ask(post(body))
            assert engine.calls[0].body == body
            assert answer.body == b"".join(map(event, "abcde")) + usage_event() + DONE
            metrics = await place.metrics()
            assert metrics['alliage_gateway_tokens_total{kind="prompt",service="m"}'] == 3

    run(main())


def test_events_cut_anywhere_come_out_whole() -> None:
    """Chunks that end in the middle of the usage event, or of any other, change nothing."""
    stream = event("é ü") + usage_event() + event("z") + DONE
    expected = event("é ü") + event("z") + DONE

    async def main() -> None:
        for step in (1, 7, 50):
            pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
            async with (
                Engine(stream_of(pieces)) as engine,
                house(table(1, route("m", upstream("e", engine.port)))) as place,
            ):
                assert (await place.chat(stream=True)).body == expected

    run(main())


def test_tokens_pass_as_they_come() -> None:
    """An event reaches the client while the engine is still holding the next one."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b"))
            await call.end_stream()

        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            assert await asyncio.wait_for(wire.chunk(), 5) == event("a")
            go.set()
            assert await wire.chunk() == event("b")
            assert await wire.chunk() == b""

    run(main())


def test_an_engine_s_own_refusal_passes() -> None:
    """A 400 of the engine is the client's to read, as it is."""

    async def behave(call: Call) -> None:
        await call.answer(b'{"error":{"message":"no","type":"t","param":null,"code":9}}', status="400 Bad Request")

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.chat(stream=True)
            assert (answer.status, answer.json["error"]["code"]) == (400, 9)

    run(main())


def test_an_answer_without_length_ends_with_its_connection() -> None:
    """An engine that answers until it closes is passed on in chunks, and the client's connection lives on."""

    async def behave(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        await call.send(b'{"until":')
        await call.send(b'"close"}')
        call.writer.close()

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            for _ in range(2):
                await wire.send(post(chat_body()))
                assert (await wire.answer()).json == {"until": "close"}
            assert engine.connections == 2

    run(main())


def test_informational_answers_are_not_the_answer() -> None:
    """A 100 or 103 in front of the engine's answer is skipped."""

    async def behave(call: Call) -> None:
        await call.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        await call.answer(b"{}")

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.chat()
            assert (answer.status, answer.body) == (200, b"{}")
            assert "link" not in answer.headers

    run(main())


def test_an_encoded_answer_keeps_its_name() -> None:
    """Content-Encoding passes, and what is inside is not touched."""
    body = usage_event()

    async def behave(call: Call) -> None:
        await call.answer(body, kind="text/event-stream", extra="Content-Encoding: odd\r\nSet-Cookie: x=1\r\n")

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            answer = await place.chat(stream=True)
            assert answer.headers["content-encoding"] == "odd"
            assert "set-cookie" not in answer.headers
            assert answer.body == body

    run(main())


def test_engine_connections_are_kept_and_shared() -> None:
    """Requests one after another use one connection to the engine, whoever asks; it is closed when it has idled."""

    async def main() -> None:
        limits = GatewayLimits(upstream_idle_s=0.3, drain_s=2)
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port))), limits) as place:
            for _ in range(5):
                assert (await place.chat()).status == 200
            assert engine.connections == 1
            await until(lambda: not engine.open, "the idle connection is closed by us")

    run(main())


def test_no_more_idle_connections_than_slots() -> None:
    """After a burst no more connections stay open than the engine has slots: it may hold a thread for each."""

    async def main() -> None:
        async with (
            Engine(stream_of([event("a")], pause_s=0.1)) as engine,
            house(table(1, route("m", upstream("m-1", engine.port, concurrency=2)), role=Role.ADMIN)) as place,
        ):
            named = post(chat_body(stream=True), extra="X-Alliage-Replica: m-1\r\n")  # does not wait for a turn
            await asyncio.gather(*(place.ask(named) for _ in range(8)))
            assert engine.connections == 8
            await until(lambda: len(engine.open) <= 2, "connections beyond the slots are closed")

    run(main())


def test_the_least_loaded_replica_is_asked() -> None:
    """Requests at once spread over replicas by their slots."""

    async def main() -> None:
        slow = stream_of([event("a")], pause_s=0.3)
        async with (
            Engine(slow) as one,
            Engine(slow) as two,
            house(table(1, route("m", upstream("a", one.port, 3), upstream("b", two.port, 1)))) as place,
        ):
            await asyncio.gather(*(place.chat(stream=True) for _ in range(8)))
            assert (len(one.calls), len(two.calls)) == (6, 2)
            await place.at_rest()

    run(main())


def test_embeddings_and_chat_go_to_models_that_can() -> None:
    """A model that does not answer an endpoint says so; one that embeds is asked."""

    async def main() -> None:
        async with Engine() as engine:
            chat = route("talks", upstream("t", engine.port))
            embed = route("embeds", upstream("e", engine.port), tasks=(Task.EMBED,))
            async with house(table(1, chat, embed)) as place:
                body = json.dumps({"model": "embeds", "input": "x"}).encode()
                answer = await place.ask(post(body, "/v1/embeddings"))
                assert answer.json["data"][0]["embedding"] == [0.5, -0.5]
                body = json.dumps({"model": "talks", "input": "x"}).encode()
                answer = await place.ask(post(body, "/v1/embeddings"))
                assert (answer.status, answer.code) == (400, "unsupported_task")
                assert "'talks' does not answer /v1/embeddings" in answer.json["error"]["message"]
                answer = await place.chat("embeds")
                assert (answer.status, answer.code) == (400, "unsupported_task")
                assert len(engine.calls) == 1

    run(main())


def test_models_are_listed_and_found_by_name() -> None:
    """The list has every service; a name may hold characters that are escaped in a URL."""

    async def main() -> None:
        async with house(table(1, route("a b", waiting="soon"), route("m", refusal="no chip"))) as place:
            listed = (await place.ask(get("/v1/models"))).json
            assert [model["id"] for model in listed["data"]] == ["a b", "m"]
            one = await place.ask(get("/v1/models/a%20b?x=1"))
            assert one.json == {"id": "a b", "object": "model", "created": 7, "owned_by": "alliage"}
            none = await place.ask(get("/v1/models/zzz"))
            assert (none.status, none.code) == (404, "model_not_found")
            assert "'zzz' does not exist here; there are: a b, m" in none.json["error"]["message"]

    run(main())


def test_secrets_stay_secret(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither the client's key nor the engine's appears in the log or in an answer, also when the engine fails."""

    async def main() -> None:
        async with house(table(1, route("m", upstream("m-1", 1))), GatewayLimits(hold_s=0.1, drain_s=2)) as place:
            answer = await place.chat()
            assert answer.status == 502
            assert ENGINE_KEY.encode() not in answer.body
            wrong = await place.ask(post(chat_body(), key="someone-elses-secret"))
            assert b"someone-elses-secret" not in wrong.body

    run(main())
    said = "".join(capfd.readouterr())
    assert "engine failed" in said
    assert not [secret for secret in (KEY, ENGINE_KEY, "someone-elses-secret") if secret in said]
