"""The storm's engines: a token is one letter, said at the pace and with the fate that the request asks for. They count as vLLM and SGLang do."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.gateway.upstream import DONE, Call, event, usage_event
from tests.storm.asked import CACHED_TOKENS, PROMPT_TOKENS, Asked, Kind

_ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
_STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


def behaviour(asked: Mapping[str, Asked], pause_s: float) -> Callable[[Call], Awaitable[None]]:
    """For an engine; what a request is to be is looked up by its id."""

    async def behave(call: Call) -> None:
        if call.path == "/tokenize":
            text = call.json.get("prompt")
            await call.answer(json.dumps({"count": PROMPT_TOKENS if text is None else len(text)}).encode())
            return
        each = asked[call.headers["x-request-id"]]
        each.reached = True
        if each.kind is Kind.WHOLE:
            each.produced = each.tokens
            usage = {
                "prompt_tokens": PROMPT_TOKENS,
                "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
                "completion_tokens": each.tokens,
            }
            choices = [{"index": 0, "message": {"content": "x" * each.tokens}}]
            await call.answer(json.dumps({"choices": choices, "usage": usage}).encode())
            return
        await _stream(call, each, pause_s * (8 if each.kind is Kind.SLOW else 1))

    return behave


async def _stream(call: Call, each: Asked, pause_s: float) -> None:
    ask: dict[str, Any] = call.json
    begun = ask["messages"][-1]["content"] if ask["messages"][-1]["role"] == "assistant" else ""
    await call.begin_stream()
    await call.chunk(_ROLE)
    for number in range(len(begun), each.tokens):
        if each.kind is Kind.DIES and not begun and number == each.tokens // 2:
            call.cut()
            return
        if call.gone.is_set() or call.writer.is_closing():
            return
        each.produced = max(each.produced, number + 1)
        await call.chunk(event("x"))
        await asyncio.sleep(pause_s)
    if call.gone.is_set() or call.writer.is_closing():
        return
    usage = usage_event(PROMPT_TOKENS + len(begun), each.tokens - len(begun))
    await call.chunk(_STOP + (b"" if each.kind is Kind.SILENT else usage) + DONE)
    await call.end_stream()
