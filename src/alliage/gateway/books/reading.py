"""Stretches of journals, in their order: of the one that is being written, and of those whose process is dead.

Each is told from where control has taken it; what was told and not taken is told again. Nothing is read of what an entry says.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import structlog

from alliage.gateway.books.journal import Journal, Segment, remove, segment_path, segment_starts
from alliage.link.entries import (
    BEGIN,
    END,
    FIRST,
    FORMAT,
    FRAME_BYTES,
    MARK,
    NAMES,
    OPEN,
    SO_FAR,
    WHOLE_BYTES_MAX,
    Whole,
    entries,
    entry,
    length_of,
    own_names,
    payload,
    put_whole,
    read_begin,
    read_first,
    read_whole,
    request_check,
)

_log: Final = structlog.get_logger("alliage.gateway")

DAMAGED: Final = ".damaged"
"""Journals that were put aside, for a person to look at."""


class Stretch:
    """What a journal holds from the place `at` on."""

    __slots__ = ("at", "data", "is_last", "names")

    def __init__(self, at: int, data: bytes, names: list[bytes] | None, *, is_last: bool) -> None:
        self.at = at
        self.data = data
        self.names = names
        """Those of the segment before it; None where they were told already."""
        self.is_last = is_last
        """Nothing was behind it when it was read."""


class Source(Protocol):
    """A journal as it is told."""

    name: str
    taken: int
    """The ledger has all up to there."""

    def stretch(self, bytes_max: int) -> Stretch | None:
        """What comes next, as far as it fits, or one entry that does not; None where there is nothing new."""

    def again(self) -> None:
        """Nothing is known any more of what was told and not taken."""

    def take(self, upto: int) -> bool:
        """The ledger has all up to there; whether nothing will ever come of this one again."""


class Written:
    """The journal that this process writes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.name = journal.name
        self.taken = 0
        self._segment: Segment | None = None
        """The one whose names are told up to where it is taken."""

    def stretch(self, bytes_max: int) -> Stretch | None:
        """See `Source`."""
        segment = self._next_segment()
        if segment is None:
            return None
        at = max(self.taken, segment.start)
        names = None if segment is self._segment else own_names(segment.read(0, at - segment.start))
        self._segment = segment
        begin = at - segment.start
        data = segment.read(begin, max(bytes_max, length_of(segment.read(begin, FRAME_BYTES))))
        is_last = segment is self._journal.current and at + len(data) == segment.start + segment.used
        return Stretch(at, data, names, is_last=is_last)

    def again(self) -> None:
        """See `Source`."""
        self._segment = None

    def take(self, upto: int) -> bool:
        """See `Source`."""
        self.taken = max(self.taken, upto)
        for segment in self._journal.segments:
            if segment is not self._journal.current and self.taken == segment.start + segment.used:
                self.taken = segment.start + segment.size
        self._journal.forget(self.taken)
        return False

    def _next_segment(self) -> Segment | None:
        """The one with something that was not taken."""
        for segment in self._journal.segments:
            if self.taken < segment.start + segment.used:
                return segment
        return None


class _Part:
    """What can be read of a dead one's segment."""

    __slots__ = ("end", "read", "start")

    def __init__(self, start: int, size: int, read: Callable[[], bytes]) -> None:
        self.start = start
        self.end = start + size
        self.read = read


class _Left:
    """An open request of a dead process: its entry as it stood last, and the names in its segment."""

    __slots__ = ("names", "whole")

    def __init__(self, whole: Whole, names: list[bytes]) -> None:
        self.whole = whole
        self.names = names


class Inherited:
    """The journal of a dead process, then the records of what was cut, under the ids that they would have had."""

    def __init__(self, folder: Path, lock: int) -> None:
        """`lock` is what `own` gave; it is closed when all is told. Reads all of it once: for a thread.

        Raises OSError where some of it cannot be read: to tell the rest would tell requests as cut that may have ended there.
        """
        self._folder = folder
        self._lock = lock
        self.name = folder.name
        self.taken = 0
        self.cut = 0
        """Requests that were in work when the process died."""
        self.size_bytes = sum(path.stat().st_size for path in folder.iterdir())
        self._starts = segment_starts(folder)
        for path in folder.glob("*.new"):  # set aside, never begun
            path.unlink(missing_ok=True)
        self._is_damaged = False
        self._parts: list[_Part] = []
        self._part: _Part | None = None
        self._data = b""
        self._survey()

    def stretch(self, bytes_max: int) -> Stretch | None:
        """See `Source`."""
        part = next((each for each in self._parts if self.taken < each.end), None)
        if part is None:
            return None
        at, names = max(self.taken, part.start), None
        if part is not self._part:
            try:
                self._data = part.read()[: part.end - part.start]
            except OSError as error:  # it is tried again when it is time to tell
                _log.error("a segment of a journal cannot be read", journal=self.name, start=part.start, why=str(error))
                return None
            self._part = part
            names = own_names(self._data[: at - part.start])
        begin = at - part.start
        data = self._data[begin : begin + max(bytes_max, length_of(self._data[begin : begin + FRAME_BYTES]))]
        return Stretch(at, data, names, is_last=at + len(data) == self._parts[-1].end)

    def again(self) -> None:
        """See `Source`."""
        self._part = None

    def take(self, upto: int) -> bool:
        """See `Source`. A journal of which all was taken is removed."""
        self.taken = max(self.taken, upto)
        is_done = not self._parts or self.taken >= self._parts[-1].end
        if is_done:
            self._put_away()
            self.close()
        return is_done

    def _put_away(self) -> None:
        if not self._is_damaged:
            remove(self._folder)
            return
        aside = self._folder.with_suffix(DAMAGED)
        _log.error(
            "a journal is not as it was written; what could be read is told, the rest is here", folder=str(aside)
        )
        with suppress(OSError):
            self._folder.rename(aside)

    def close(self) -> None:
        """Let go of it: another process may tell the rest."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _survey(self) -> None:
        """Find what is to be told; the room that was set aside and not used goes back."""
        left: dict[int, _Left] = {}
        end = 0
        for start in self._starts:
            data = self._readable(start)
            if _look(data, start, left):
                self._parts.append(_Part(start, len(data), segment_path(self._folder, start).read_bytes))
            end = max(end, start + len(data))
            if data:
                with suppress(OSError):
                    os.truncate(segment_path(self._folder, start), len(data))
        self.cut = len(left)
        if left:
            records = _cut(left)
            self._parts.append(_Part(end, len(records), lambda: records))  # behind all that was written

    def _readable(self, start: int) -> bytes:
        """The sound part of a segment; nothing of one that is not this journal's. Raises OSError."""
        data = segment_path(self._folder, start).read_bytes()
        found = list(entries(data))
        first = read_first(payload(data, 0, found[0][2])) if found and found[0][1] == FIRST else None
        if first is None or (first.format, first.journal, first.start) != (FORMAT, self.name, start):
            self._is_damaged |= bool(found) or (any(data) and start != self._starts[-1])
            return b""
        return data[: found[-1][0] + found[-1][2]]


def _look(data: bytes, start: int, left: dict[int, _Left]) -> bool:
    """Keep account of the open requests through a segment; whether it has a record."""
    names: list[bytes] = []
    has_record = False
    for at, kind, length in entries(data):
        if kind == NAMES:
            names.append(payload(data, at, length))
        elif kind == BEGIN:
            left[start + at] = _Left(read_begin(data, at, length, start + at), names)
        elif kind == OPEN:
            whole = read_whole(data, at, length, start + at)
            left[whole.first] = _Left(whole, names)
        elif kind == MARK:
            mark = payload(data, at, length)
            one = left.get(SO_FAR.unpack_from(mark)[0])
            if one is not None:
                one.whole.mark(mark)
        elif kind == END:
            left.pop(read_whole(data, at, length, start + at).first, None)
            has_record = True
    return has_record


def _cut(left: dict[int, _Left]) -> bytes:
    """Entries as the process would have written them: names, and a record of each."""
    data = bytearray()
    numbers: dict[bytes, int] = {}
    for one in left.values():
        whole, words = one.whole, one.names[one.whole.names]
        if words not in numbers:
            numbers[words] = len(numbers)
            data += entry(NAMES, words)
        at = len(data)
        data += bytes(WHOLE_BYTES_MAX)
        size = put_whole(
            data, at, END, whole.first, numbers[words], whole.began_us, whole.prompt, whole.cached, whole.output, whole.duration_us, whole.ttft_us,
            whole.tpot_us, whole.status, whole.state, whole.request, request_check(whole.request),
        )  # fmt: skip
        del data[at + size :]
    return bytes(data)
