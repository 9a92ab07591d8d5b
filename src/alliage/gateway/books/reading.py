"""Records out of journals, in the order of their entries: of the one that is being written, and of those whose process is dead.

Each is told from where control has taken it; what was told and not taken is told again. A reader is at one place at a time.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import structlog

from alliage.gateway.books.entries import (
    END,
    FIRST,
    FORMAT,
    FRAME_BYTES,
    MARK,
    NAMES,
    OPEN,
    SO_FAR,
    WHOLE,
    entries,
    own_names,
    own_records,
    read_first,
    record_json,
    with_mark,
)
from alliage.gateway.books.journal import Journal, Segment, remove, segment_path, segment_starts
from alliage.units import KIB

_log: Final = structlog.get_logger("alliage.gateway")


_WINDOW_BYTES: Final = 256 * KIB
DAMAGED: Final = ".damaged"
"""Journals that were put aside, for a person to look at."""


class Source(Protocol):
    """A journal as it is told."""

    name: str
    taken: int
    """The ledger has all up to there."""

    def batch(self, records_max: int) -> tuple[list[bytes], int]:
        """The next records as JSON, and up to where they are all; none where there is nothing new."""

    def again(self) -> None:
        """Begin from what was taken."""

    def take(self, upto: int) -> bool:
        """The ledger has all up to there; whether nothing will ever come of this one again."""


class Written:
    """The journal that this process writes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.name = journal.name
        self._name = journal.name.encode()
        self.taken = 0
        self._at = 0
        self._segment: Segment | None = None
        self._names: list[bytes] = []

    def batch(self, records_max: int) -> tuple[list[bytes], int]:
        """See `Source`."""
        records: list[bytes] = []
        while len(records) < records_max:
            segment = self._segment or self._next_segment()
            if segment is None:
                break
            data = segment.read(self._at - segment.start, _WINDOW_BYTES)
            found, self._at = own_records(data, self._at, self._name, self._names, records_max - len(records))
            records += found
            if self._at < segment.start + segment.used:
                continue
            if segment is self._journal.current:
                break
            self._at = segment.start + segment.size
            self._segment = None
        return records, self._at

    def again(self) -> None:
        """See `Source`."""
        self._at = self.taken
        self._segment = None

    def take(self, upto: int) -> bool:
        """See `Source`."""
        self.taken = max(self.taken, upto)
        self._journal.forget(self.taken)
        return False

    def _next_segment(self) -> Segment | None:
        """The one with the next entry, and the names in it up to there."""
        for segment in self._journal.segments:
            if segment.start + segment.size > self._at:
                self._at = max(self._at, segment.start)
                self._names = own_names(segment.read(0, self._at - segment.start))
                self._segment = segment
                return segment
        return None


class _Left:
    """An open request of a dead process: its entry as it stood last, and the names of its segment."""

    __slots__ = ("names", "payload")

    def __init__(self, payload: bytes, names: list[bytes]) -> None:
        self.payload = payload
        self.names = names


class Inherited:
    """The journal of a dead process: its records, then what was cut, under the ids that they would have had."""

    def __init__(self, folder: Path, lock: int) -> None:
        """`lock` is what `own` gave; it is closed when all is told. Reads all of it once: for a thread."""
        self._folder = folder
        self._lock = lock
        self.name = folder.name
        self._name = folder.name.encode()
        self.taken = 0
        self.size_bytes = sum(path.stat().st_size for path in folder.iterdir())
        self._starts = segment_starts(folder)
        for path in folder.glob("*.new"):  # set aside, never begun
            path.unlink(missing_ok=True)
        self._is_damaged = False
        self._end = 0
        self._cut = self._survey()
        self._at = 0
        self._records: list[tuple[int, bytes]] = []
        self._next = 0
        self.again()

    @property
    def cut(self) -> int:
        """Requests that were in work when the process died."""
        return len(self._cut)

    def batch(self, records_max: int) -> tuple[list[bytes], int]:
        """See `Source`."""
        while not self._records and self._next < len(self._starts):
            start = self._starts[self._next]
            self._next += 1
            self._records = [each for each in self._segment_records(start) if each[0] > self.taken]
        if not self._records and self._next == len(self._starts):
            self._next += 1
            cut = enumerate(self._cut, self._end + 1)  # behind all that was written, each at a place of its own
            self._records = [each for each in cut if each[0] > self.taken]
        now, self._records = self._records[:records_max], self._records[records_max:]
        if now:
            self._at = now[-1][0]
        return [record for _, record in now], self._at

    def again(self) -> None:
        """See `Source`."""
        self._next = 0
        self._records = []
        self._at = self.taken

    def take(self, upto: int) -> bool:
        """See `Source`. A journal of which all was taken is removed."""
        self.taken = max(self.taken, upto)
        is_done = not self._records and self._next > len(self._starts) and self.taken >= self._at
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

    def _segment_records(self, start: int) -> list[tuple[int, bytes]]:
        """Each record of a segment, with the place behind it."""
        names: list[bytes] = []
        found = []
        for at, kind, payload in self._entries(start):
            if kind == NAMES:
                names.append(payload)
            elif kind == END:
                record = record_json(self._name, start + at, payload, names)
                found.append((start + at + FRAME_BYTES + len(payload), record))
        return found

    def _survey(self) -> list[bytes]:
        """The records of those that were open at the end; the room that was set aside and not used goes back."""
        left: dict[int, _Left] = {}
        for start in self._starts:
            names: list[bytes] = []
            used = 0
            for at, kind, payload in self._entries(start):
                used = at + FRAME_BYTES + len(payload)
                self._end = start + used
                if kind == NAMES:
                    names.append(payload)
                elif kind == OPEN:
                    left[WHOLE.unpack_from(payload)[0] or start + at] = _Left(payload, names)
                elif kind == MARK:
                    one = left.get(SO_FAR.unpack_from(payload)[0])
                    if one is not None:
                        one.payload = with_mark(one.payload, payload)
                elif kind == END:
                    left.pop(WHOLE.unpack_from(payload)[0], None)
            with suppress(OSError):
                os.truncate(segment_path(self._folder, start), used)
        return [record_json(self._name, first, one.payload, one.names) for first, one in left.items()]

    def _entries(self, start: int) -> list[tuple[int, int, bytes]]:
        """The readable part of a segment; nothing of one that is not this journal's."""
        try:
            data = segment_path(self._folder, start).read_bytes()
        except OSError as error:
            _log.error("a segment of a journal cannot be read", journal=self.name, start=start, why=str(error))
            self._is_damaged = True
            return []
        found = list(entries(data))
        first = read_first(found[0][2]) if found and found[0][1] == FIRST else None
        if first is None or (first.format, first.journal, first.start) != (FORMAT, self.name, start):
            self._is_damaged |= first is not None or (any(data) and start != self._starts[-1])
            return []
        return found
