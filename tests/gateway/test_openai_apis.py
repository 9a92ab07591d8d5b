"""OpenAI's official client beyond chat: Responses by a real llama.cpp, forms with files, and a clear no where no engine serves it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

from alliage.catalog.records import Task
from alliage.fleet.limits import Limits
from alliage.fleet.routing import RoutingTable
from tests.builders import CATALOG
from tests.gateway.house import KEY, House, house, route, run, table, upstream
from tests.gateway.test_admission import limited
from tests.gateway.upstream import Call, Engine, stream_of
from tests.models.alphabet import alphabet, write_alphabet
from tests.models.serving import served

_CREATED = b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","output":[]}}\n\n'


@asynccontextmanager
async def _client(place: House) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"http://127.0.0.1:{place.port}/v1"
    async with openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0) as client:
        yield client


def _table(port: int, engine: str) -> RoutingTable:
    """One service on an engine, with what the catalogue says of it."""
    made = table(1, route("m", upstream("a", port, engine=engine), tasks=tuple(Task)))
    return replace(made, serves={engine: CATALOG.engines[engine].paths})


def test_responses_are_said_streamed_and_counted(tmp_path: Path) -> None:
    """A real engine's own Responses, whose last event has the usage inside."""

    async def main(port: int) -> None:
        async with house(_table(port, "llama.cpp")) as place, _client(place) as client:
            whole = await client.responses.create(model="m", input="go", max_output_tokens=30)
            assert whole.output_text == alphabet(30)
            text, usage = "", None
            async for event in await client.responses.create(model="m", input="go", max_output_tokens=200, stream=True):
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.completed":
                    usage = event.response.usage
            assert text == alphabet(200)
            assert usage is not None
            metrics = await place.metrics()
            assert metrics['alliage_gateway_tokens_total{kind="output",service="m"}'] == 230
            assert metrics['alliage_gateway_tokens_total{kind="prompt",service="m"}'] == 2 * usage.input_tokens
            assert metrics['gen_ai_server_time_to_first_token_seconds_count{service="m"}'] == 1

    write_alphabet(tmp_path / "alphabet.gguf")
    with served(tmp_path / "alphabet.gguf") as running:
        run(main(urlsplit(running.url).port or 0))


def test_a_broken_stream_of_responses_raises() -> None:
    """An engine that dies in the middle is an APIError in the loop; no other one goes on with it."""

    async def die(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(_CREATED)
        call.writer.close()

    async def main() -> None:
        async with Engine(die) as engine, house(_table(engine.port, "vllm")) as place, _client(place) as client:
            stream = await client.responses.create(model="m", input="go", stream=True)
            with pytest.raises(openai.APIError, match="The engine of 'm' failed"):
                assert [event.type async for event in stream] == []

    run(main())


def test_what_comes_before_the_first_token_is_not_one() -> None:
    """Responses tell at once that they began: the time to the first token ends with the first that says something."""

    async def main() -> None:
        double = Engine(stream_of([_CREATED, _CREATED]))
        async with double as engine, house(_table(engine.port, "vllm")) as place, _client(place) as client:
            stream = await client.responses.create(model="m", input="go", stream=True)
            assert len([event async for event in stream]) == 2
            await stream.close()
            metrics = await place.metrics()
            assert metrics['gen_ai_server_time_to_first_token_seconds_count{service="m"}'] == 0
            assert metrics['gen_ai_server_request_duration_seconds_count{service="m"}'] == 1

    run(main())


def test_files_are_transcribed_and_translated() -> None:
    """The client's own forms; the engine finds in them what was sent."""

    async def hear(call: Call) -> None:
        assert b'name="model"' in call.body
        await call.answer(json.dumps({"text": call.path.rpartition("/")[2]}).encode())

    async def main() -> None:
        async with Engine(hear) as engine, house(_table(engine.port, "vllm")) as place, _client(place) as client:
            sound = ("a.wav", bytes(range(256)) * 2000, "audio/wav")
            said = await client.audio.transcriptions.create(model="m", file=sound)
            assert said.text == "transcriptions"
            with pytest.warns(DeprecationWarning, match="deprecated"):  # OpenAI lets go of it, engines have it
                translated = await client.audio.translations.create(model="m", file=sound)
            assert translated.text == "translations"
            assert sound[1] in engine.calls[0].body

    run(main())


def test_a_file_is_no_prompt_to_limits_either() -> None:
    """Half a megabyte of sound would be more tokens than the key may ever ask for."""

    async def hear(call: Call) -> None:
        await call.answer(b'{"text":"heard"}')

    async def main() -> None:
        async with Engine(hear) as engine:
            limits = Limits(tokens_per_minute=1000, context_tokens=1000)
            async with house(limited(_table(engine.port, "vllm"), limits)) as place, _client(place) as client:
                sound = ("a.wav", bytes(range(256)) * 2000, "audio/wav")
                assert (await client.audio.transcriptions.create(model="m", file=sound)).text == "heard"

    run(main())


@pytest.mark.parametrize("engine", ["llama.cpp", "vllm", "sglang", "mindie"])
def test_what_no_engine_serves_is_a_clear_no(engine: str) -> None:
    """Images and speech by each engine of the catalogue: a 501 that names it, and nobody is asked."""

    async def main() -> None:
        async with Engine() as double, house(_table(double.port, engine)) as place, _client(place) as client:
            said = f"No engine of 'm' serves .*: {engine} serves /v1/chat/completions"
            for ask in (
                lambda: client.images.generate(model="m", prompt="x"),
                lambda: client.images.edit(model="m", prompt="x", image=("a.png", b"PNG", "image/png")),
                lambda: client.audio.speech.create(model="m", input="x", voice="v"),
            ):
                with pytest.raises(openai.InternalServerError, match=said) as caught:
                    await ask()
                assert (caught.value.status_code, caught.value.code) == (501, "not_served")
            assert not double.calls

    run(main())
