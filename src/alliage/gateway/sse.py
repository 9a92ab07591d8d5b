"""Server-sent events as they pass: finds the usage an engine tells, and takes out the event that only carries it.

Every other byte passes unchanged and in order; an event that has not wholly come is held back until it has.
"""

import re
from typing import Final

import msgspec

from alliage.gateway.body import count, count_cached
from alliage.units import KIB

_END: Final = re.compile(rb"\r?\n\r?\n")
_ENDS: Final = (b"\n\n", b"\n\r\n")
_MARK: Final = b'"usage"'
HELD_BYTES_MAX: Final = 64 * KIB
"""A longer event cannot be the usage event; it is passed on as it comes."""
_END_BYTES_MAX: Final = 3
"""So much of a passed event is still held, because it may be the beginning of the blank line that ends it."""


class _Chunk(msgspec.Struct, gc=False):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode


class UsageTap:
    """Fed with a stream in pieces of any size; `prompt_tokens` and `completion_tokens` are the last that were told."""

    __slots__ = ("_held", "_long", "_remove", "cached_tokens", "completion_tokens", "prompt_tokens")

    def __init__(self, *, remove: bool) -> None:
        self._remove = remove
        self._held = b""
        self._long = False
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0

    @property
    def inside(self) -> bool:
        """Whether a part of an unfinished event has been passed on already."""
        return self._long

    def feed(self, piece: bytes) -> bytes:
        """What may go to the client after this piece."""
        if not self._held and _MARK not in piece and piece.endswith(_ENDS):
            self._long = False
            return piece
        data = self._held + piece
        passed: list[bytes] = []
        start = 0
        for end in _END.finditer(data):
            event = data[start : end.end()]
            start = end.end()
            passed.append(event if self._long or not self._is_usage(event) else _before(event))
            self._long = False
        rest = data[start:]
        if self._long or len(rest) > HELD_BYTES_MAX:
            self._long = self._long or bool(rest)
            cut = max(len(rest) - _END_BYTES_MAX, 0)
            passed.append(rest[:cut])
            rest = rest[cut:]
        self._held = rest
        return b"".join(passed)

    def finish(self) -> bytes:
        """What was still held when the stream ended."""
        rest, self._held = self._held, b""
        return _before(rest) if not self._long and self._is_usage(rest) else rest

    def _is_usage(self, event: bytes) -> bool:
        """Whether this event is to be taken out; notes the tokens that it tells."""
        if _MARK not in event:
            return False
        data = b"\n".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
        try:
            told = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if told.usage is None:
            return False
        self.prompt_tokens = count(told.usage, "prompt_tokens")
        self.completion_tokens = count(told.usage, "completion_tokens")
        self.cached_tokens = count_cached(told.usage)
        return self._remove and told.choices == []


def _before(event: bytes) -> bytes:
    """The line ends in front of an event: they belong to nobody, so they stay when it goes."""
    return event[: len(event) - len(event.lstrip(b"\r\n"))]
