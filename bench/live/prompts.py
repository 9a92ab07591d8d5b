"""Requests of a trace as bodies for a rehearsed engine: as many tokens, and alike as far as their blocks are. Pure."""

import json
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

from alliage.rehearsal.words import TOKEN_LETTERS
from alliage.replay.requests.trace import Request, Trace

_ROLE: Final = "user: "
"""What a rehearsed engine counts before the content of a first message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request: when it is to be sent, in seconds from the first one, and what is sent."""

    at_s: float
    body: bytes
    output_tokens: int


def orders_of(trace: Trace, model: str) -> tuple[Order, ...]:
    """All of them; the n-th prompt is its own from its first letter on where the trace names no blocks."""
    return tuple(order_of(number, request, trace.block_tokens, model) for number, request in enumerate(trace.requests))


def order_of(number: int, request: Request, block_tokens: int, model: str) -> Order:
    """One of them."""
    return Order(
        at_s=request.at_s,
        body=_body(_prompt(number, request, block_tokens), request.output_tokens, model),
        output_tokens=request.output_tokens,
    )


def _prompt(number: int, request: Request, block_tokens: int) -> str:
    """Letters for exactly its tokens, those of the role counted."""
    letters = request.prompt_tokens * TOKEN_LETTERS
    if request.blocks:
        text = "".join(_block(name, block_tokens * TOKEN_LETTERS) for name in request.blocks)
    else:
        text = f"{len(_ROLE) * 'x'}{number} of {letters} "
    return text.ljust(letters, "x")[len(_ROLE) : max(letters, len(_ROLE) + 1)]


@lru_cache(maxsize=4096)
def _block(name: int, letters: int) -> str:
    """The same letters for the same name, and unlike any other's from the first on."""
    return Random(name).randbytes(-(-letters // 2)).hex()[:letters]


def _body(prompt: str, output_tokens: int, model: str) -> bytes:
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": output_tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(asked).encode()
