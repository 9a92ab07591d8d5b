"""Rehearsed engines speak Messages and Responses: the official clients take what they say, with the tokens of the same chat."""

import json
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import MessageParam

from alliage.catalog.records import ApiPath
from alliage.engines.serving import REHEARSED_PATHS
from alliage.rehearsal.messages import Told
from tests.rehearsal.scene import a_scene, played, post

_ASK: list[MessageParam] = [{"role": "user", "content": "hello"}]


def _json(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def _chat(told: Told) -> Any:
    return _json(await post(told, {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}))


@played
async def test_messages_are_said_as_anthropics_client_reads_them() -> None:
    """Whole, streamed and counted: the words and the tokens of the same chat."""
    async with a_scene() as scene:
        told = await scene.open("a")
        chat = await _chat(told)
        text, usage = chat["choices"][0]["message"]["content"], chat["usage"]
        url = f"http://{told.host}:{told.port}"
        async with anthropic.AsyncAnthropic(auth_token="secret", base_url=url, max_retries=0) as client:
            whole = await client.messages.create(model="m", max_tokens=9, messages=_ASK)
            (block,) = whole.content
            assert block.type == "text"
            assert (block.text, whole.stop_reason) == (text, "max_tokens")
            assert whole.usage.input_tokens == usage["prompt_tokens"]
            assert whole.usage.output_tokens == usage["completion_tokens"]
            async with client.messages.stream(model="m", max_tokens=9, messages=_ASK) as stream:
                assert "".join([piece async for piece in stream.text_stream]) == text
                last = await stream.get_final_message()
            assert (last.usage.input_tokens, last.usage.output_tokens) == (usage["prompt_tokens"], 9)
            counted = await client.messages.count_tokens(model="m", messages=_ASK)
            assert counted.input_tokens == usage["prompt_tokens"]


@played
async def test_responses_are_said_as_openais_client_reads_them() -> None:
    """Whole and streamed: the words and the tokens of the same chat."""
    async with a_scene() as scene:
        told = await scene.open("a")
        chat = await _chat(told)
        text, read = chat["choices"][0]["message"]["content"], chat["usage"]["prompt_tokens"]
        url = f"http://{told.host}:{told.port}/v1"
        async with openai.AsyncOpenAI(api_key="secret", base_url=url, max_retries=0) as client:
            whole = await client.responses.create(model="m", input="hello", max_output_tokens=9)
            assert whole.output_text == text
            assert whole.usage is not None
            assert (whole.usage.input_tokens, whole.usage.output_tokens) == (read, 9)
            async with client.responses.stream(model="m", input="hello", max_output_tokens=9) as stream:
                last = await stream.get_final_response()
            assert last.output_text == text
            assert last.usage is not None
            assert last.usage.total_tokens == read + 9


_BAD: dict[str, dict[str, Any]] = {
    ApiPath.CHAT: {"messages": []},
    ApiPath.COMPLETIONS: {},
    ApiPath.RESPONSES: {"input": 3},
    ApiPath.MESSAGES: {"messages": "no list"},
    ApiPath.COUNT_TOKENS: {},
}


@pytest.mark.parametrize("path", REHEARSED_PATHS)
@played
async def test_each_path_that_it_is_said_to_serve_is_there(path: ApiPath) -> None:
    """A body that cannot be answered gets a 400 on each, not a 404; all are labelled."""
    async with a_scene() as scene:
        answer = await post(await scene.open("a"), _BAD[path], path=path)
        assert b" 400 " in answer.splitlines()[0]
        assert b"X-Alliage-Rehearsal: true" in answer
