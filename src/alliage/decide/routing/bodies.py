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
_GROWTH: Final = 8
_FIELD: Final = b'"messages"'
_OTHER_FIELDS: Final = (b'"prompt"', b'"input"')
"""Where a prompt begins; inside a JSON text its quotes would be escaped."""
_LARGE_BYTES: Final = 64 * KIB
_MEDIA: Final = b";base64,"
_MEDIA_TOKENS_MAX: Final = 4096
"""What a prompt with pictures is taken to have at most: their bytes say nothing of their tokens."""


def _cuts() -> Iterator[int]:
    at = 0
    while at < _REACH_BYTES:
        at += max(1, at // _GROWTH // SAMPLE_BYTES) * SAMPLE_BYTES
        yield at


CUTS: Final[tuple[int, ...]] = tuple(_cuts())
"""Where blocks end, in bytes from the beginning of the prompt."""


def read_body(body: bytes, tenant: int, habits: Habits) -> tuple[Prompt, int]:
    """The prompt of a body, its whole blocks named for `tenant` (a number that is only its own), and the bytes of its text.

    Those are what tokens are counted by; 0 where they say nothing of them.
    """
    start = body.find(_FIELD)
    if start < 0:
        start = max(0, *(body.find(field) for field in _OTHER_FIELDS))
    size = len(body) - start
    share = 1.0 / habits.bytes_per_token
    tokens = int(size * share) or 1
    if size < SAMPLE_BYTES:
        return Prompt(tokens), size
    blocks = _names(body, start, tenant)
    if size > _LARGE_BYTES and _MEDIA in body:
        tokens = min(tokens, _MEDIA_TOKENS_MAX)
        return Prompt(tokens, blocks, [tokens * cut // size for cut in CUTS[: len(blocks)]]), 0
    return Prompt(tokens, blocks, [int(cut * share) for cut in CUTS[: len(blocks)]]), size


def _names(body: bytes, start: int, tenant: int) -> list[int]:
    """Each name stands for all before it too."""
    own, name, size = tenant << 32, 0, len(body) - start
    names: list[int] = []
    begin = 0
    for end in CUTS:
        if end > size:
            break
        name = crc32(body[start + begin : start + begin + SAMPLE_BYTES], name)
        names.append(own | name)
        begin = end
    return names
