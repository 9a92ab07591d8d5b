"""Tokens that no engine told are counted by its tokenizer, each engine asked as its own documents say; else as the gateway counted them."""

import json
from pathlib import Path

import pytest

from alliage.engines.counting import TEMPLATE, TOKENIZE, chat_asked, read_count, read_prompt, text_asked
from alliage.fleet.usage import Ending
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import chat_body, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, event
from tests.models.alphabet import write_alphabet
from tests.models.serving import served

_OFTEN = GatewayLimits(drain_s=2, usage_tell_s=0.02, usage_mark_s=0.02, heartbeat_s=0.02)
_ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])


def test_each_engine_is_asked_in_its_own_way() -> None:
    """llama.cpp by its template and text; vLLM by messages; SGLang by text only; others not at all."""
    chat = {"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 1}
    assert json.loads(text_asked("llama.cpp", "m", "ab")) == {
        "content": "ab",
        "add_special": False,
        "parse_special": False,
    }
    assert json.loads(text_asked("vllm", "m", "ab")) == {"model": "m", "prompt": "ab", "add_special_tokens": False}
    asked = chat_asked("llama.cpp", chat)
    assert asked is not None
    assert (asked[0], json.loads(asked[1])) == (TEMPLATE, {"messages": chat["messages"]})
    asked = chat_asked("vllm", chat)
    assert asked is not None
    assert asked[0] == TOKENIZE
    assert json.loads(asked[1]) == {"model": "m", "messages": chat["messages"], "add_generation_prompt": True}
    assert chat_asked("sglang", chat) is None
    assert chat_asked("vllm", {}) is None


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (b'{"tokens":[1,2,3]}', 3),
        (b'{"count":5,"tokens":[1]}', 5),
        (b"{}", None),
        (b"<html>", None),
        (b'{"count":"x"}', None),
    ],
)
def test_counts_are_read_from_either_answer(answer: bytes, count: int | None) -> None:
    """And nothing from what is none."""
    assert read_count(answer) == count
    assert read_prompt(answer) is None


@pytest.mark.parametrize("counts", [True, False])
def test_a_cancelled_stream_is_counted_by_the_engine(*, counts: bool) -> None:
    """What was passed, by its tokenizer, and the prompt by its template; an engine that does not answer leaves the events."""

    async def behave(call: Call) -> None:
        if call.path == TEMPLATE:
            await call.answer(json.dumps({"prompt": "p" * 11}).encode())
        elif call.path == TOKENIZE and counts:
            assert call.headers["authorization"] == "Bearer engine-secret"
            await call.answer(json.dumps({"tokens": list(range(2 * len(call.json["content"])))}).encode())
        elif call.path == TOKENIZE:
            await call.answer(b"{}", status="404 Not Found")
        else:
            await call.begin_stream()
            await call.chunk(_ROLE + event("a") + event("b") + event("c"))
            await call.gone.wait()

    async def main() -> None:
        async with Engine(behave) as engine:
            replica = upstream("a", engine.port, engine="llama.cpp")
            async with house(table(1, route("m", replica)), _OFTEN) as place:
                wire = await place.dial()
                await wire.send(post(chat_body(stream=True)))
                await wire.head()
                await wire.chunk()
                wire.writer.close()
                await until(lambda: len(place.control.usage) == 1, "the record")
                (one,) = place.control.usage.values()
                assert (one.ending, one.is_estimated) == (Ending.CANCELLED, True)
                assert one.output_tokens == (6 if counts else 3)
                assert (one.prompt_tokens == 22) is counts

    run(main())


def test_a_real_engine_counts_as_it_tells(tmp_path: Path) -> None:
    """A stream of llama.cpp that its client leaves: as many tokens as letters came, and the prompt as the engine tells it itself."""
    model = tmp_path / "alphabet.gguf"
    write_alphabet(model)

    async def main(port: int) -> None:
        replica = upstream("a", port, engine="llama.cpp")
        async with house(table(1, route("m", replica)), _OFTEN) as place:
            told = (await place.chat(max_tokens=3)).json["usage"]
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True, max_tokens=3000)))
            await wire.head()
            passed = b""
            while passed.count(b'"content":"') < 30:
                passed += await wire.chunk()
            wire.writer.close()
            await until(lambda: len(place.control.usage) == 2, "both records")
            whole, left = sorted(place.control.usage.values(), key=lambda each: each.began_s)
            assert (whole.prompt_tokens, whole.output_tokens, whole.is_estimated) == (told["prompt_tokens"], 3, False)
            assert (left.ending, left.is_estimated, left.prompt_tokens) == (Ending.CANCELLED, True, whole.prompt_tokens)
            assert 30 <= left.output_tokens < 3000

    with served(model) as server:
        run(main(int(server.url.rsplit(":", 1)[1])))
