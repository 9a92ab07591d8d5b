"""A request's body, unparsed -> its prompt: how long about, and the names of what it begins with. Pure, bounded work.

Blocks are cut from the messages' bytes at fixed places, so that the next turn of a conversation begins with those of the
last one. They grow with their distance, and of each at most `SAMPLE_BYTES` are hashed: two prompts that are alike in all samples
are taken to be alike. A name is a tenant's own: no two tenants ever have one in common, whatever they send.
"""

from collections.abc import Iterator
from typing import Final

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prompt import Prompt
from alliage.decide.routing.samples import mixed
from alliage.units import KIB, MIB

SAMPLE_BYTES: Final = 512
_REACH_BYTES: Final = MIB
_GROWTH: Final = 8
_FIELD: Final = b'"messages"'
_OTHER_FIELDS: Final = (b'"prompt"', b'"input"')
"""Where a prompt begins; inside a JSON text its quotes would be escaped."""
_LARGE_BYTES: Final = 64 * KIB
_NAME_BITS: Final = 32
_NAME_MASK: Final = (1 << _NAME_BITS) - 1
_MEDIA: Final = b";base64,"
_BLANK: Final = b" "
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
        return Prompt(tokens, [], []), size
    if size > _LARGE_BYTES and _may_hold_media(body, start, size) and _MEDIA in body:
        tokens = min(tokens, _MEDIA_TOKENS_MAX)
        return _with_blocks(body, start, tenant, tokens, tokens / size), 0
    return _with_blocks(body, start, tenant, tokens, share), size


def _may_hold_media(body: bytes, start: int, size: int) -> bool:
    """Whether one of the samples has no blank, as pictures in base64 have none. To look through all of it costs more."""
    begin = start
    for end in CUTS:
        if end > size:
            break
        if _BLANK not in body[begin : begin + SAMPLE_BYTES]:
            return True
        begin = start + end
    return False


def _with_blocks(body: bytes, start: int, tenant: int, tokens: int, share: float) -> Prompt:
    """Each name stands for all before it too; `share` of the bytes up to its end are its tokens."""
    own, mix, size = tenant << _NAME_BITS, 0, len(body) - start
    names: list[object] = []
    ends: list[int] = []
    begin = 0
    for end in CUTS:
        if end > size:
            break
        mix = mixed(body, start + begin, start + begin + SAMPLE_BYTES, mix)
        names.append(own | (mix & _NAME_MASK))
        ends.append(int(end * share))
        begin = end
    return Prompt(tokens, names, ends)
