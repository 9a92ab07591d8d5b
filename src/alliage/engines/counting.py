"""How each engine counts tokens with its tokenizer, without saying anything: the requests to ask, and where the answer is. Pure.

vLLM and SGLang answer `POST /tokenize` with `count`; vLLM takes a chat's messages too and applies the template (vllm
entrypoints/serve/tokenize/protocol.py, sglang native API). llama.cpp answers `/tokenize` with `tokens`, and `/apply-template` turns messages
into the text of a prompt (its server's README). An engine that is not named here is not asked.
"""

from typing import Any, Final

import msgspec

_LLAMA: Final = frozenset({"llama.cpp", "llama.cpp-cuda"})
_COUNTS: Final = frozenset({"vllm", "sglang"})
COUNTS: Final = _LLAMA | _COUNTS
"""Engines that count."""
TEMPLATE: Final = "/apply-template"
TOKENIZE: Final = "/tokenize"
_encode: Final = msgspec.json.encode


class _Counted(msgspec.Struct):
    count: int | None = None
    tokens: list[msgspec.Raw] | None = None
    prompt: str | None = None


def text_asked(engine: str, model: str, text: str, *, is_prompt: bool = False) -> bytes:
    """The body that asks `TOKENIZE` for a text; `is_prompt`: with the tokens that begin a prompt, and those that its text names."""
    if engine in _LLAMA:
        return _encode({"content": text, "add_special": is_prompt, "parse_special": is_prompt})
    return _encode({"model": model, "prompt": text, "add_special_tokens": is_prompt})


def chat_asked(engine: str, asked: dict[str, Any]) -> tuple[str, bytes] | None:
    """Path and body that ask for the prompt of a chat; the answer has its tokens' `count`, or its text, to be asked for then.

    None for an engine that does not say.
    """
    messages = asked.get("messages")
    if not isinstance(messages, list):
        return None
    if engine in _LLAMA:
        return TEMPLATE, _encode({"messages": messages})
    if engine != "vllm":
        return None
    kept = {name: asked[name] for name in ("model", "messages", "tools", "chat_template_kwargs") if name in asked}
    return TOKENIZE, _encode({**kept, "add_generation_prompt": True})


def read_count(answer: bytes) -> int | None:
    """How many tokens an answer of `TOKENIZE` tells; None where it tells none."""
    try:
        told = msgspec.json.decode(answer, type=_Counted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if told.count is not None:
        return max(0, told.count)
    return None if told.tokens is None else len(told.tokens)


def read_prompt(answer: bytes) -> str | None:
    """The text that an answer of `TEMPLATE` tells; None where it tells none."""
    try:
        return msgspec.json.decode(answer, type=_Counted).prompt
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
