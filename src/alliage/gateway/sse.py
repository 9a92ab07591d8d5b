"""Server-sent events as they pass: finds the usage an engine tells, and takes out the event that only carries it.

Every other byte passes unchanged and in order; an event that has not wholly come is held back until it has.
"""

import re
from typing import Final

import msgspec

from alliage.gateway.body import USAGE_BYTES_MAX, find_usage
from alliage.gateway.counts import NOTHING, Counts, counts_of
from alliage.gateway.decoded import Chunk, Usage
from alliage.units import KIB

_END: Final = re.compile(rb"\r?\n\r?\n")
_ENDS: Final = (b"\n\n", b"\n\r\n")
_NEWLINE: Final = ord("\n")
_MARK: Final = b'"usage"'
_NULL: Final = b":null"
EVENT: Final = b"\ndata:"
"""Once in each event that goes to a client: in JSON a line's end is escaped, and in front of a piece is its chunk's."""
HELD_BYTES_MAX: Final = 64 * KIB
"""A longer event is passed on as it comes; it cannot be one that only carries usage, but may have some at its end (Responses)."""
_END_BYTES_MAX: Final = 3
"""So much of a passed event is still held, because it may be the beginning of the blank line that ends it."""


_decode: Final = msgspec.json.Decoder(Chunk).decode
_decode_inner: Final = msgspec.json.Decoder(Usage | None).decode


class UsageTap:
    """Fed with a stream in pieces of any size; `counts` are the last that were told."""

    __slots__ = ("_end", "_held", "_long", "_remove", "counts")

    def __init__(self, *, remove: bool) -> None:
        self._remove = remove
        self._held = b""
        self._long = False
        self._end = b""
        self.counts: Counts = NOTHING

    @property
    def inside(self) -> bool:
        """Whether a part of an unfinished event has been passed on already."""
        return self._long

    def passes(self, piece: bytes) -> bool:
        """Whether this piece ends all events that have begun and tells no usage: then it is done with, and goes on as it is."""
        size = len(piece)
        if size < 2 or piece[size - 1] != _NEWLINE or len(self._held) > 0:
            return False
        if piece[size - 2] != _NEWLINE and not piece.endswith(_ENDS):
            return False
        at = piece.find(_MARK)
        return at < 0 or _is_null(piece, at + len(_MARK))

    def feed(self, piece: bytes) -> bytes:
        """What may go to the client after this piece."""
        if self.passes(piece):
            return piece
        data = self._held + piece
        passed: list[bytes] = []
        start = 0
        for end in _END.finditer(data):
            event = data[start : end.end()]
            start = end.end()
            if self._long:
                self._look(event)
                passed.append(event)
            else:
                passed.append(_before(event) if self._is_usage(event) else event)
            self._long, self._end = False, b""
        rest = data[start:]
        if self._long or len(rest) > HELD_BYTES_MAX:
            self._long = self._long or bool(rest)
            cut = max(len(rest) - _END_BYTES_MAX, 0)
            self._look(rest[:cut])
            passed.append(rest[:cut])
            rest = rest[cut:]
        self._held = rest
        return b"".join(passed)

    def finish(self) -> bytes:
        """What was still held when the stream ended."""
        rest, self._held = self._held, b""
        if self._long:
            self._look(rest)
        return _before(rest) if not self._long and self._is_usage(rest) else rest

    def _look(self, passing: bytes) -> None:
        """For usage in a piece of a long event, which begins with the end of the last one."""
        seen = self._end + passing
        found = find_usage(seen)
        if found is not None:
            self.counts = found
        self._end = seen[-USAGE_BYTES_MAX:]

    def _is_usage(self, event: bytes) -> bool:
        """Whether this event is to be taken out; notes the tokens that it tells."""
        if event.find(_MARK) < 0:
            return False
        data = b"\n".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
        try:
            told = _decode(data)
            usage = told.usage
            if usage is None:
                inner = bytes(told.response) or bytes(told.message)
                whole = _decode_inner(inner) if inner else None
                usage = None if whole is None else whole.usage
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if usage is None:
            return False
        self.counts = counts_of(usage, self.counts)
        return self._remove and told.choices == []


def _is_null(piece: bytes, at: int) -> bool:
    """Whether the one usage that is named in it is null, as some engines say with each token; its value begins here."""
    return piece[at : at + len(_NULL)] == _NULL and piece.find(_MARK, at) < 0


def _before(event: bytes) -> bytes:
    """The line ends in front of an event: they belong to nobody, so they stay when it goes."""
    return event[: len(event) - len(event.lstrip(b"\r\n"))]
