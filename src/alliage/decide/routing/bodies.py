"""A request's body, unparsed -> its prompt: how long about, and the names of what it begins with. Pure, bounded work.

Blocks are cut from the messages' bytes at fixed places, so that the next turn of a conversation begins with those of the
last one. They grow with their distance, and of each at most `SAMPLE_BYTES` are hashed: two prompts that are alike in all samples
are taken to be alike. A name is a tenant's own: no two tenants ever have one in common, whatever they send.
"""

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prompt import Prompt
from alliage.units import KIB, MIB

SAMPLE_BYTES: Final = 512
_REACH_BYTES: Final = MIB
_GROWTH: Final = 16
_FIELDS: Final = (b'"messages"', b'"prompt"', b'"input"')
"""Where a prompt begins; inside a JSON text its quotes would be escaped."""
_LARGE_BYTES: Final = 16 * KIB
_MEDIA: Final = b";base64,"
_MEDIA_TOKENS_MAX: Final = 4096
"""What a prompt with pictures is taken to have at most: their bytes say nothing of their tokens."""


def _cuts() -> Iterator[int]:
    at = 0
    while at < _REACH_BYTES:
        at += max(1, at // _GROWTH // SAMPLE_BYTES) * SAMPLE_BYTES
        yield at


CUTS: Final = tuple(_cuts())
"""Where blocks end, in bytes from the beginning of the prompt."""


class Body:
    """`text_bytes` are those that tokens are counted by; 0 where they say nothing of them."""

    __slots__ = ("prompt", "text_bytes")

    def __init__(self, prompt: Prompt, text_bytes: int) -> None:
        self.prompt = prompt
        self.text_bytes = text_bytes


def read_body(body: bytes, tenant: int, habits: Habits) -> Body:
    """The prompt of a body in which whole blocks of `tenant` (a number that is only its own) are named."""
    start = max(0, next((at for field in _FIELDS if (at := body.find(field)) >= 0), 0))
    size = len(body) - start
    tokens = max(1, int(size / habits.bytes_per_token))
    if size < SAMPLE_BYTES:
        return Body(Prompt(tokens), size)
    blocks = _names(body, start, tenant)
    if size > _LARGE_BYTES and _MEDIA in body:
        tokens = min(tokens, _MEDIA_TOKENS_MAX)
        return Body(Prompt(tokens, blocks, [tokens * cut // size for cut in CUTS[: len(blocks)]]), 0)
    share = 1 / habits.bytes_per_token
    return Body(Prompt(tokens, blocks, [int(cut * share) for cut in CUTS[: len(blocks)]]), size)


def _names(body: bytes, start: int, tenant: int) -> list[int]:
    """Each name stands for all before it too."""
    view, own = memoryview(body), tenant << 32
    end = len(body) - start
    names, at, name = [], start, 0
    for cut in CUTS:
        if cut > end:
            break
        name = crc32(view[at : min(at + SAMPLE_BYTES, start + cut)], name)
        names.append(own | name)
        at = start + cut
    return names
