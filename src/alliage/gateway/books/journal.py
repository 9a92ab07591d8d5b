"""The journal of one gateway process: segments in a folder, written through a shared mapping.

A store into a mapping costs no system call and outlives the process. Room is set aside when a segment is made, so a full disk shows
there and never as a signal. `flush` is about the machine's death only.
"""

import errno
import fcntl
import mmap
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from alliage.link.entries import FRAME_BYTES, NAMES, WHOLE_BYTES_MAX, entry, first_entry, put_begin, put_whole
from alliage.units import KIB, MIB

SEGMENT_BYTES: Final = 4 * MIB
_SEGMENT_BYTES_LEAST: Final = 64 * KIB
_SUFFIX: Final = ".seg"
_AGAIN_S: Final = 1.0
"""How often room is looked for while there is none."""

Allocate = Callable[[int, int, int], None]
"""Sets so many bytes of a file aside, or raises OSError: `os.posix_fallocate`."""


class Names:
    """Names as bytes, and where they were written last."""

    __slots__ = ("most_bytes", "number", "payload", "segment", "upstream")

    def __init__(self, payload: bytes, upstream: object) -> None:
        self.payload = payload
        self.upstream = upstream
        self.most_bytes = FRAME_BYTES + len(payload) + WHOLE_BYTES_MAX
        """What a request's next entry may take, with these before it."""
        self.segment: Segment | None = None
        self.number = 0


class Segment:
    """A file of `size` bytes; what is in it begins at `start` of the journal and is `used` bytes long."""

    __slots__ = ("_file", "_map", "named", "path", "pins", "size", "start", "used")

    def __init__(self, path: Path, start: int, size: int, allocate: Allocate) -> None:
        """Make it, 0600; raises OSError where there is no room, and leaves nothing behind then."""
        self.path = path
        self.start = start
        self.size = size
        self.used = 0
        self.named = 0
        """Names that are in it."""
        self.pins = 0
        """Open requests that can be read here only."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            allocate(self._file, 0, size)
            self._map = mmap.mmap(self._file, size)
        except OSError:
            os.close(self._file)
            path.unlink(missing_ok=True)
            raise

    def put(self, data: bytes) -> int:
        """Write an entry that there is room for; its place in the journal."""
        at = self.used
        end = at + len(data)
        self._map[at:end] = data
        self.used = end
        return self.start + at

    def begin(self, names: int, began_us: int, request: bytes, check: int) -> int:
        """Write a `BEGIN` that there is room for; its place in the journal."""
        at = self.used
        self.used = at + put_begin(self._map, at, names, began_us, request, check)
        return self.start + at

    def put_whole(  # noqa: PLR0917 - data path
        self,
        kind: int,
        first: int,
        names: int,
        began_us: int,
        prompt: int,
        cached: int,
        output: int,
        duration_us: int,
        ttft_us: int,
        tpot_us: int,
        status: int,
        state: int,
        request: bytes,
        check: int,
    ) -> int:
        """Write an `OPEN` or `END` that there is room for; its place in the journal."""
        at = self.used
        self.used = at + put_whole(
            self._map, at, kind, first, names, began_us, prompt, cached, output, duration_us, ttft_us, tpot_us, status, state, request, check
        )  # fmt: skip
        return self.start + at

    def read(self, at: int, size: int) -> bytes:
        """What was written from there on, no more than `size`."""
        return self._map[at : min(at + size, self.used)]

    def flush(self) -> None:
        """Have it on the disk: blocks, but not the interpreter (msync would, and does no more)."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._file)


def segment_path(folder: Path, start: int) -> Path:
    """Where the segment is that begins there."""
    return folder / f"{start:020d}{_SUFFIX}"


def segment_starts(folder: Path) -> list[int]:
    """Where its segments begin, in order."""
    names = (path.stem for path in folder.iterdir() if path.suffix == _SUFFIX)
    return sorted(int(name) for name in names if name.isdigit())


def own(folder: Path) -> int | None:
    """Lock a journal's folder, as its writer or its heir; a descriptor to close, None where another process has it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == folder.stat().st_ino:  # it may have been taken away meanwhile
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def remove(folder: Path) -> None:
    """A journal that nobody needs; what cannot be removed is found again later."""
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


class Journal:
    """Append-only. `why_full` says why nothing can be written now, "" while it can."""

    __slots__ = (
        "_again_s", "_allocate", "_bytes_max", "_flushing", "_forgotten", "_lock", "_segment_bytes", "_spare", "_unflushed", "current", "folder", "name",
        "opened", "others_bytes", "segments", "why_full",
    )  # fmt: skip

    def __init__(
        self,
        books: Path,
        *,
        bytes_max: int,
        segment_bytes: int = 0,
        allocate: Allocate = os.posix_fallocate,
    ) -> None:
        """A new one under a name of its own in the folder `books`, which is made where it is missing.

        Raises OSError where the folder cannot be made; without room for a segment it begins full. `segment_bytes` 0 for what fits `bytes_max`.
        """
        books.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = os.urandom(10).hex()
        self.folder = books / self.name
        made = books / f".{self.name}.new"
        made.mkdir(mode=0o700)
        lock = own(made)  # before anybody can take it for a dead one's
        if lock is None:
            made.rmdir()
            raise OSError(
                errno.ENOLCK, "its folder cannot be locked, so nobody could tell a dead gateway's from a living one's"
            )
        made.rename(self.folder)
        self._lock = lock
        self._allocate = allocate
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes or min(SEGMENT_BYTES, max(_SEGMENT_BYTES_LEAST, bytes_max // 8))
        self._again_s = 0.0
        self._spare: Segment | None = None
        """For the records of what is open, when there is no room for a segment: what was promised is kept."""
        self._unflushed: list[Segment] = []
        self._flushing: list[Segment] = []
        self._forgotten: deque[Segment] = deque()
        """Removed, and still to be closed, which gives their room back and takes milliseconds."""
        self.segments: list[Segment] = []
        self.current: Segment | None = None
        self.opened = 0
        """Requests whose record is still to be written."""
        self.others_bytes = 0
        """Of journals that this process tells for dead ones."""
        self.why_full = ""
        self.turn()

    def room(self, size: int) -> bool:
        """Whether so many bytes more may be written of requests that are open; a new segment is begun where the current one is full."""
        current = self.current
        if current is not None and not self.why_full and current.used + size <= current.size:
            return True
        return self.turn()

    def named(self, names: Names) -> int:
        """The number of these names in the current segment, -1 where there is no room for them."""
        current = self.current
        if current is None:
            return -1
        if names.segment is not current:
            if current.used + FRAME_BYTES + len(names.payload) > current.size:
                return -1
            current.put(entry(NAMES, names.payload))
            names.segment = current
            names.number = current.named
            current.named += 1
        return names.number

    def named_with_room(self, names: Names, *, is_promised: bool) -> int:
        """The same, with room for a whole entry behind them, in a new segment where need be; `is_promised` may have the spare one."""
        for _ in range(3):
            number, current = self.named(names), self.current
            if number >= 0 and current is not None and current.used + WHOLE_BYTES_MAX <= current.size:
                return number
            if not (self.turn() or (is_promised and self.turn_to_spare())):
                break
        return -1

    def put(self, data: bytes) -> int:
        """The place of a new entry, -1 where there is no room."""
        current = self.current
        if current is None or current.used + len(data) > current.size:
            return -1
        return current.put(data)

    @property
    def held_bytes(self) -> int:
        """What it takes of the disk."""
        return (len(self.segments) + len(self._forgotten) + (self._spare is not None)) * self._segment_bytes

    def turn(self) -> bool:
        """Begin a new segment; False where there is no room for one and another beside it. It is tried about once a second then."""
        now_s = monotonic()
        if self.why_full and now_s < self._again_s:
            return False
        try:
            if self._spare is None:
                self._spare = self._made()
            segment = self._made()
        except OSError as error:
            self.why_full = error.strerror or str(error)
            self._again_s = now_s + _AGAIN_S
            return False
        self.why_full = ""
        self._begin(segment)
        return True

    def turn_to_spare(self) -> bool:
        """Begin the segment that was kept for the records of what is open; False where it has been begun already."""
        spare, self._spare = self._spare, None
        if spare is not None:
            self._begin(spare)
        return spare is not None

    def _begin(self, segment: Segment) -> None:
        current = self.current
        segment.start = 0 if current is None else current.start + self._segment_bytes
        path = segment_path(self.folder, segment.start)
        segment.put(first_entry(self.name, segment.start))
        segment.path.rename(path)
        segment.path = path
        self.segments.append(segment)
        self._unflushed.append(segment)
        self.current = segment

    def _made(self) -> Segment:
        try:
            return self._set_aside()
        except OSError:
            self._close_forgotten()
            return self._set_aside()

    def _set_aside(self) -> Segment:
        if self.held_bytes + self.others_bytes + self._segment_bytes > self._bytes_max:
            raise OSError(0, f"the journals hold all of the {self._bytes_max} bytes that they may")
        path = self.folder / f"{os.urandom(4).hex()}.new"
        return Segment(path, 0, self._segment_bytes, self._allocate)

    def flush(self) -> None:
        """Have all that was written on the disk, and let go of what was forgotten. For a thread: it blocks."""
        self._flushing = self._unflushed  # at any time each segment is in one of the two until it is flushed
        self._unflushed = [] if self.current is None else [self.current]
        try:
            for segment in self._flushing:
                segment.flush()
            self._flushing = []
        finally:
            self._close_forgotten()

    def forget(self, upto: int) -> None:
        """Remove segments of which all is taken up to there, and that no open request needs. Their room is back with the next flush, or when it is asked for."""
        kept = []
        for segment in self.segments:
            is_needed = segment is self.current or segment.pins > 0 or segment.start + segment.size > upto
            if is_needed or segment in self._unflushed or segment in self._flushing:
                kept.append(segment)
                continue
            segment.path.unlink(missing_ok=True)
            self._forgotten.append(segment)
        self.segments = kept

    def _close_forgotten(self) -> None:
        """The thread that flushes does it, and where room is short the loop's, maybe at the same time."""
        with suppress(IndexError):
            while True:
                self._forgotten.popleft().close()

    def close(self, *, is_done: bool) -> None:
        """Let go of it; with all told and nothing open it is removed, else the next process of this home finds it."""
        self._close_forgotten()
        for segment in self.segments:
            segment.close()
        if self._spare is not None:
            self._spare.path.unlink(missing_ok=True)
            self._spare.close()
        self.segments = []
        self.current = self._spare = None
        if is_done:
            remove(self.folder)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
