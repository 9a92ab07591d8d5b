"""Tokens out of a usage object, by whichever API it is: prompt, completion, and what of the prompt the engine had already. Pure.

OpenAI's prompts (`prompt_tokens`, of Responses `input_tokens`) include what was cached. Anthropic's `input_tokens` are those
beside `cache_read_input_tokens` and `cache_creation_input_tokens`, so that the prompt is the sum.
"""

from typing import Final

import msgspec

from alliage.gateway.decoded import Details

Counts = tuple[int, int, int]
"""Prompt, completion, cached."""
NOTHING: Final[Counts] = (0, 0, 0)
TOKENS_MAX: Final = 999_999_999
"""No request has more: what an engine tells beyond is no count."""
_DIGITS_MAX: Final = 9
_decode_details: Final = msgspec.json.Decoder(Details | None).decode


def counts_of(usage: dict[str, msgspec.Raw], before: Counts = NOTHING) -> Counts:
    """The counts after this object; what it does not name stays as it was `before`, and no prompt shrinks.

    Anthropic's streams tell the prompt with their first event and the answer with a later one.
    """
    prompt, completion, cached = before
    if "prompt_tokens" in usage:
        prompt = max(prompt, count(usage, "prompt_tokens"))
        if "prompt_tokens_details" in usage:
            cached = max(cached, _cached(usage["prompt_tokens_details"]))
    elif "input_tokens" in usage:
        read = count(usage, "cache_read_input_tokens")
        prompt = max(prompt, count(usage, "input_tokens") + read + count(usage, "cache_creation_input_tokens"))
        if "input_tokens_details" in usage:
            read = _cached(usage["input_tokens_details"])
        cached = max(cached, read)
    if "completion_tokens" in usage:
        completion = count(usage, "completion_tokens")
    elif "output_tokens" in usage:
        completion = count(usage, "output_tokens")
    return prompt, completion, min(cached, prompt)


def count(usage: dict[str, msgspec.Raw], field: str) -> int:
    """A count out of a usage object; 0 where it is missing or no plain number."""
    text = bytes(usage.get(field, b""))
    return int(text) if text.isdigit() and len(text) <= _DIGITS_MAX else 0


def sane(tokens: int) -> int:
    """The same count; 0 for what is none."""
    return tokens if 0 <= tokens <= TOKENS_MAX else 0


def _cached(details: msgspec.Raw) -> int:
    try:
        told = _decode_details(details)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return 0 if told is None or told.cached_tokens is None else sane(told.cached_tokens)
