"""The official client against the gateway: what it lists, says, streams and embeds, and the class of each error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from alliage.catalog.records import Task
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import KEY, House, house, route, run, table, upstream
from tests.gateway.test_continuing import reciting
from tests.gateway.upstream import Call, Engine, event

_ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "abc"}]


@asynccontextmanager
async def _client(place: House, key: str = KEY) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"http://127.0.0.1:{place.port}/v1"
    async with openai.AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
        yield client


@asynccontextmanager
async def _place(engine: Engine) -> AsyncIterator[House]:
    routes = (
        route("m", upstream("m-1", engine.port)),
        route("vectors", upstream("v-1", engine.port), tasks=(Task.EMBED,)),
        route("starting", waiting="loading"),
        route("dead", upstream("d-1", 1)),
    )
    async with house(table(1, *routes), GatewayLimits(hold_s=0.2, body_bytes_max=10_000, drain_s=2)) as place:
        yield place


def test_it_lists_chats_streams_and_embeds() -> None:
    """Every call of the first day works, with and without usage in a stream."""

    async def main() -> None:
        async with Engine() as engine, _place(engine) as place, _client(place) as client:
            assert [model.id async for model in client.models.list()] == ["m", "vectors", "starting", "dead"]
            assert (await client.models.retrieve("m")).owned_by == "alliage"
            chat = await client.chat.completions.create(model="m", messages=_ASK)
            assert chat.choices[0].message.content == "abcde"
            for usage in (False, True):
                options = {"stream_options": {"include_usage": True}} if usage else {}
                stream = await client.chat.completions.create(  # type: ignore[call-overload]
                    model="m", messages=_ASK, stream=True, **options
                )
                chunks = [chunk async for chunk in stream]
                text = "".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
                assert text == "abcde"
                assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [7] * usage
            vectors = await client.embeddings.create(model="vectors", input="x", encoding_format="float")
            assert vectors.data[0].embedding == [0.5, -0.5]

    run(main())


@pytest.mark.parametrize(
    ("model", "key", "text", "raises", "code"),
    [
        ("m", "wrong", "x", openai.AuthenticationError, "invalid_api_key"),
        ("none", KEY, "x", openai.NotFoundError, "model_not_found"),
        ("vectors", KEY, "x", openai.BadRequestError, "unsupported_task"),
        ("m", KEY, "x" * 20_000, openai.APIStatusError, "request_too_large"),
        ("starting", KEY, "x", openai.InternalServerError, "service_unavailable"),
        ("dead", KEY, "x", openai.InternalServerError, "upstream_failed"),
    ],
)
def test_each_error_has_its_class(
    model: str, key: str, text: str, raises: type[openai.APIStatusError], code: str
) -> None:
    """The client raises the class that its users catch, with our code and message."""

    async def main() -> None:
        async with Engine() as engine, _place(engine) as place, _client(place, key) as client:
            with pytest.raises(raises) as caught:
                await client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
            assert caught.value.code == code
            assert caught.value.request_id

    run(main())


async def _read(stream: openai.AsyncStream[ChatCompletionChunk], seen: list[ChatCompletionChunk]) -> None:
    async for chunk in stream:
        seen.append(chunk)  # noqa: PERF401  # what came before an error counts


def test_a_broken_stream_raises() -> None:
    """An engine that dies in the middle of a stream is an APIError in the loop, after the tokens that came."""

    async def die(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(event("a"))
        call.writer.close()

    async def main() -> None:
        async with Engine(die) as engine, _place(engine) as place, _client(place) as client:
            stream = await client.chat.completions.create(model="m", messages=_ASK, stream=True)
            seen: list[ChatCompletionChunk] = []
            with pytest.raises(openai.APIError, match="The engine of 'm' failed"):
                await _read(stream, seen)
            assert [chunk.choices[0].delta.content for chunk in seen] == ["a"]

    run(main())


def test_a_stream_that_waits_for_another_replica_is_one_stream() -> None:
    """The client iterates over one answer while its only replica dies and another takes its place."""

    async def main() -> None:
        dying = Engine()

        async def dies(call: Call) -> None:
            await call.begin_stream()
            for letter in "de":
                await call.chunk(event(letter))
                await asyncio.sleep(0.005)
            dying.deafen()
            call.cut()

        dying.behave = dies
        async with dying, Engine(reciting) as other:
            first = table(1, route("m", upstream("one", dying.port, engine="llama.cpp")))
            async with house(first) as place, _client(place) as client:
                stream = await client.chat.completions.create(model="m", messages=_ASK, stream=True)
                text = ""
                async for chunk in stream:
                    text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
                    if text == "de":
                        await place.holds(1)
                        await place.control.swap(table(2, route("m", waiting="soon")))
                        place.control.push(table(3, route("m", upstream("two", other.port, engine="llama.cpp"))))
                assert text == "defghij"

    run(main())
