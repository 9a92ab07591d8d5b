"""Heads of requests that were taken before: a connection's next one is mostly the same as one of these but for its length.

A head is found by the few bytes in which it differs from the others, then compared whole: before the digits of its length and
after them. So equal heads are equal bytes, and what the parser and the door made of one holds for the other until there is
another table.
"""

from typing import Final

from alliage.gateway.heads import Spelling, read_length
from alliage.gateway.request import Request

KNOWN_MAX: Final = 512
"""Heads that are remembered; then all are forgotten."""


class Known:
    """A head and the request that had it; `others` are of heads that are like it up to the digits of the length, by what follows these."""

    __slots__ = ("after", "before", "others", "request")

    def __init__(self, spelling: Spelling, request: Request) -> None:
        self.before = spelling.before
        self.after = spelling.after
        self.request = request
        self.others: dict[bytes, Request] = {}


class Fork:
    """Heads that are alike up to `at`: those whose byte there is less than `byte`, and the others."""

    __slots__ = ("at", "byte", "least", "others")

    def __init__(self, at: int, byte: int, least: "Fork | Known", others: "Fork | Known") -> None:
        self.at = at
        self.byte = byte
        self.least = least
        self.others = others


class KnownHeads:
    """A tree of forks. What is looked up is only whole messages that came in one read."""

    __slots__ = ("_number", "_top")

    def __init__(self) -> None:
        self._number = 0
        self._top: Fork | Known | None = None

    def __len__(self) -> int:
        """Heads that were learned since all were forgotten."""
        return self._number

    def forget(self) -> None:
        """All of them."""
        self._number = 0
        self._top = None

    def take(self, data: bytes, body_bytes_max: int) -> Request | None:
        """Another request, whole, where a read is one message with a known head and no larger body; it has no id yet."""
        size = len(data)
        node = self._top
        while isinstance(node, Fork):
            if node.at >= size:
                return None
            node = node.least if data[node.at] < node.byte else node.others
        if node is None or not data.startswith(node.before):
            return None
        length, stop = read_length(data, len(node.before))
        begin = size - length
        if length < 0 or length > body_bytes_max or begin < stop:
            return None
        if is_between(data, stop, begin, node.after):
            return node.request.another(data[begin:])
        request = node.others.get(data[stop:begin])
        return None if request is None else request.another(data[begin:])

    def learn(self, spelling: Spelling, request: Request) -> None:
        """The next one with this head is like this one, which was let in."""
        if self._number >= KNOWN_MAX:
            self.forget()
        known, before = Known(spelling, request), spelling.before
        if self._top is None:
            self._top = known
            self._number = 1
            return
        nearest = _nearest(self._top, before)
        at = _difference(nearest.before, before)
        if at < len(before) and at < len(nearest.before):
            self._put(known, at, nearest.before[at])
            self._number += 1
        elif nearest.before == before and spelling.after != nearest.after and spelling.after not in nearest.others:
            nearest.others[spelling.after] = request
            self._number += 1

    def _put(self, known: Known, at: int, theirs: int) -> None:
        """Beside those that agree with it up to `at`, where all of them have another byte."""
        before, mine = known.before, known.before[at]
        parent: Fork | None = None
        node = self._top
        while isinstance(node, Fork) and node.at <= at:
            parent = node
            node = node.least if before[node.at] < node.byte else node.others
        if node is None:
            return
        fork = Fork(at, theirs, known, node) if mine < theirs else Fork(at, mine, node, known)
        if parent is None:
            self._top = fork
        elif before[parent.at] < parent.byte:
            parent.least = fork
        else:
            parent.others = fork


def is_between(data: bytes, start: int, end: int, text: bytes) -> bool:
    """Whether just this stands there; byte by byte, because it is mostly four and a copy costs more."""
    return end - start == len(text) and all(data[start + at] == text[at] for at in range(len(text)))


def _nearest(node: Fork | Known, before: bytes) -> Known:
    """One of those that agree with it for longest."""
    while isinstance(node, Fork):
        node = node.least if node.at < len(before) and before[node.at] < node.byte else node.others
    return node


def _difference(one: bytes, other: bytes) -> int:
    """Where two differ first; the shorter one's length where they do not."""
    shorter = min(len(one), len(other))
    for at in range(shorter):
        if one[at] != other[at]:
            return at
    return shorter
