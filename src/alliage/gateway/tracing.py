"""W3C trace context at the door: which request is traced, by which ids. Spans are made of it elsewhere, off the data path."""

import random
import re
from typing import Final

HEADER: Final = b"traceparent"
_PARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""A later version may say more behind."""
_SAMPLED: Final = 1
_RATIO_ONE: Final = 1 << 64


class Trace:
    """One request's place in a trace. `parent_id` is 0 where it begins here."""

    __slots__ = ("is_sampled", "parent_id", "span_id", "trace_id")

    def __init__(self, trace_id: int, span_id: int, parent_id: int, *, is_sampled: bool) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.is_sampled = is_sampled

    def header(self) -> bytes:
        """The `traceparent` that engines get."""
        return b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, self.is_sampled)


def read_parent(header: bytes | None) -> Trace | None:
    """What a `traceparent` header says, as W3C Trace Context has it; None for one that is malformed or all zeros."""
    found = None if header is None else _PARENT.fullmatch(header)
    if header is None or found is None or (found.end(3) < len(header) and header.startswith(b"00")):
        return None
    trace_id, span_id = int(found[1], 16), int(found[2], 16)
    if not trace_id or not span_id:
        return None
    return Trace(trace_id, span_id, 0, is_sampled=bool(int(found[3], 16) & _SAMPLED))


class Sampler:
    """Whoever sent a parent has decided; of the others the share `ratio` is sampled."""

    __slots__ = ("_below", "_random")

    def __init__(self, ratio: float, seed: int | None = None) -> None:
        """`ratio` is from 0 to 1; without a seed the ids are the system's randomness."""
        self._below = int(ratio * _RATIO_ONE)
        self._random = random.Random(seed)  # noqa: S311  # ids need not be secret

    def begin(self, header: bytes | None) -> Trace:
        """A new span: below the parent that the header names, or in a trace of its own."""
        bits = self._random.getrandbits
        span_id = bits(64) or 1
        parent = read_parent(header)
        if parent is not None:
            return Trace(parent.trace_id, span_id, parent.span_id, is_sampled=parent.is_sampled)
        low = bits(64)
        return Trace((bits(64) << 64 | low) or 1, span_id, 0, is_sampled=low < self._below)
