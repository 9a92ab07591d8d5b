"""Anthropic's official client against the gateway, with a real llama.cpp behind it: messages whole and streamed, counts, models, errors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import pytest
from anthropic.types import MessageParam
from anthropic.types.beta import BetaMessageParam

from alliage.catalog.records import ApiPath, Task
from alliage.fleet.limits import Limits, Scope
from alliage.fleet.routing import RoutingTable
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import KEY, House, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine
from tests.models.alphabet import alphabet, write_alphabet
from tests.models.serving import served

_ASK: list[MessageParam] = [{"role": "user", "content": "go"}]


@pytest.fixture(scope="module")
def llama_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real llama.cpp that says the alphabet."""
    path = tmp_path_factory.mktemp("model") / "alphabet.gguf"
    write_alphabet(Path(path))
    with served(Path(path)) as running:
        yield urlsplit(running.url).port or 0


@asynccontextmanager
async def _client(place: House, key: str = KEY, **more: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    url = f"http://127.0.0.1:{place.port}"
    async with anthropic.AsyncAnthropic(api_key=key, base_url=url, max_retries=0, default_headers=more) as client:
        yield client


def _table(port: int) -> RoutingTable:
    """A service on llama.cpp, one on an engine without Messages, and one that embeds."""
    lean = route("lean", upstream("b", 1, engine="mindie"))
    made = table(1, route("m", upstream("a", port, engine="llama.cpp")), lean, route("v", tasks=(Task.EMBED,)))
    return replace(made, serves={"mindie": (ApiPath.CHAT,)})


def test_it_says_streams_and_counts(llama_port: int) -> None:
    """A real engine's answers as the client takes them; the tokens of both are the engine's own, and counted once."""

    async def main() -> None:
        async with house(_table(llama_port)) as place, _client(place) as client:
            message = await client.messages.create(model="m", max_tokens=30, messages=_ASK)
            (block,) = message.content
            assert block.type == "text"
            assert block.text == alphabet(30)
            assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 30)
            assert message._request_id
            async with client.messages.stream(model="m", max_tokens=300, messages=_ASK) as stream:
                assert "".join([text async for text in stream.text_stream]) == alphabet(300)
                last = await stream.get_final_message()
            assert last.usage.output_tokens == 300
            counted = await client.messages.count_tokens(model="m", messages=_ASK)
            metrics = await place.metrics()
            assert metrics['alliage_gateway_tokens_total{kind="output",service="m"}'] == 330
            assert metrics['alliage_gateway_tokens_total{kind="prompt",service="m"}'] == 2 * counted.input_tokens
            assert metrics['gen_ai_server_time_to_first_token_seconds_count{service="m"}'] == 1
            await place.at_rest()

    run(main())


def test_it_lists_the_models_that_its_key_may_use() -> None:
    """In Anthropic's shape to its client, in OpenAI's to others; what limits leave out is not told, by an error neither."""

    async def main() -> None:
        first = _table(1)
        scope = Scope("key:k")
        entries = {secret: replace(entry, scopes=(scope,)) for secret, entry in first.keys.items()}
        limited = replace(first, version=2, keys=entries, limits={scope: Limits(models=("m", "gone"))})
        async with house(first) as place, _client(place) as client:
            assert [model.id async for model in client.models.list()] == ["m", "lean", "v"]
            model = await client.models.retrieve("m")
            assert (model.display_name, model.created_at.timestamp(), model.type) == ("m", 7, "model")
            await place.control.swap(limited)
            assert [model.id async for model in client.models.list()] == ["m"]
            with pytest.raises(anthropic.NotFoundError, match="there are: m"):
                await client.models.retrieve("lean")
            with pytest.raises(anthropic.NotFoundError, match="there are: m"):
                await client.messages.create(model="none", max_tokens=1, messages=_ASK)
            assert [each["id"] for each in (await place.ask(get("/v1/models"))).json["data"]] == ["m"]

    run(main())


@pytest.mark.parametrize(
    ("model", "key", "raises", "kind", "said"),
    [
        ("m", "wrong", anthropic.AuthenticationError, "authentication_error", "not known here"),
        ("none", KEY, anthropic.NotFoundError, "not_found_error", "does not exist here"),
        ("v", KEY, anthropic.BadRequestError, "invalid_request_error", "does not answer /v1/messages"),
        ("lean", KEY, anthropic.InternalServerError, "api_error", "mindie serves /v1/chat/completions"),
        ("m", KEY, anthropic.InternalServerError, "api_error", "The engine of 'm' failed"),
    ],
)
def test_each_error_has_its_class_and_shape(
    model: str, key: str, raises: type[anthropic.APIStatusError], kind: str, said: str
) -> None:
    """The class that the client's users catch, with the message and the request's id where they look for them."""

    async def main() -> None:
        async with house(_table(1), GatewayLimits(hold_s=0.2, drain_s=2)) as place, _client(place, key) as client:
            with pytest.raises(raises, match=said) as caught:
                await client.messages.create(model=model, max_tokens=1, messages=_ASK)
            body = caught.value.body
            assert isinstance(body, dict)
            assert (body["type"], body["error"]["type"]) == ("error", kind)
            assert body["request_id"] == caught.value.request_id

    run(main())


def test_a_broken_stream_raises() -> None:
    """An engine that dies in the middle is an error in the loop, after what came."""

    async def die(call: Call) -> None:
        await call.begin_stream()
        start = (
            b'{"type":"message_start","message":{"id":"x","type":"message","role":"assistant","content":[],"model":"m"'
        )
        await call.chunk(b"event: message_start\ndata: %b}}\n\n" % start)
        call.writer.close()

    async def main() -> None:
        async with Engine(die) as engine, house(_table(engine.port)) as place, _client(place) as client:
            stream = await client.messages.create(model="m", max_tokens=9, messages=_ASK, stream=True)
            seen: list[str] = []
            with pytest.raises(anthropic.APIStatusError, match="The engine of 'm' failed"):
                await _read(stream, seen)
            assert seen == ["message_start"]

    run(main())


async def _read(stream: anthropic.AsyncStream[anthropic.types.RawMessageStreamEvent], seen: list[str]) -> None:
    async for event in stream:
        seen.append(event.type)  # noqa: PERF401  # what came before an error counts


def test_keys_come_either_way_and_headers_go_on() -> None:
    """`x-api-key` or a bearer, the bearer first; the version and the betas reach the engine, the key does not."""

    async def hear(call: Call) -> None:
        await call.answer(b'{"type":"message"}')

    async def main() -> None:
        async with Engine(hear) as engine, house(_table(engine.port)) as place:
            async with _client(place) as client:
                asked: list[BetaMessageParam] = [{"role": "user", "content": "go"}]
                await client.beta.messages.create(model="m", max_tokens=1, messages=asked, betas=["a-1", "b-2"])
            (call,) = engine.calls
            assert call.path == "/v1/messages"
            assert call.headers["anthropic-version"] == client.default_headers["anthropic-version"]
            assert "a-1" in call.headers["anthropic-beta"]
            assert KEY not in str(call.headers)
            keyed = f"X-Api-Key: {KEY}\r\n"
            answers = [
                await place.ask(post(chat_body(), "/v1/messages", key=None, extra=keyed)),
                await place.ask(post(chat_body(), "/v1/messages", key=None, extra="X-Api-Key: no\r\n")),
                await place.ask(post(chat_body(), "/v1/messages", key="no", extra=keyed)),
                await place.ask(post(chat_body(), "/v1/messages", key=None)),
                await place.ask(get("/v1/models", key=None, extra=keyed)),
            ]
            assert [answer.status for answer in answers] == [200, 401, 401, 401, 200]
            assert answers[0].headers["request-id"] == answers[0].headers["x-request-id"]
            assert answers[3].json["error"]["message"].startswith("No API key was given")

    run(main())


def test_a_client_that_leaves_stops_its_engine() -> None:
    """As with every stream: it is heard of by the engine, and counted as one whose client left."""

    async def hang(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(b"event: ping\ndata: {}\n\n")
        await call.gone.wait()

    async def main() -> None:
        async with Engine(hang) as engine, house(_table(engine.port)) as place, _client(place) as client:
            stream = await client.messages.create(model="m", max_tokens=9, messages=_ASK, stream=True)
            await stream.close()
            await until(engine.calls[0].gone.is_set, "the engine's connection is closed")
            await place.at_rest()
            assert (await place.metrics())['alliage_gateway_requests_total{service="m",status="499"}'] == 1

    run(main())
