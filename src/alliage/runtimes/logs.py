"""Reading a replica's log across its rotated files: the last lines, then what comes. Nothing is written here."""

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from alliage.errors import NotFound

LINES_MAX: Final = 10_000
PIECE_BYTES: Final = 64 * 1024
POLL_S: Final = 0.2


async def read_log(path: Path, *, lines: int, follow: bool, is_over: Callable[[], bool]) -> AsyncIterator[str]:
    """Pieces of text: the last `lines` (10,000 at most), then, when `follow`, all that comes until `is_over`.

    Raises NotFound when there is no log and none to wait for.
    """
    while follow and not path.exists() and not is_over():  # noqa: ASYNC110 - no event tells of a new file
        await asyncio.sleep(POLL_S)
    if not path.exists():
        raise NotFound(f"{path.parent.name} has no log", remedy="its engine was not started on this node yet")
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    source = path.open("rb")
    try:
        last = last_lines(source, _older(path), min(lines, LINES_MAX))
        for start in range(0, len(last), PIECE_BYTES):
            yield decode(last[start : start + PIECE_BYTES])
        while follow:
            over, rotated = is_over(), _is_other(path, source)
            while piece := source.read(PIECE_BYTES):
                yield decode(piece)
            if rotated:
                source.close()
                source = path.open("rb")
            elif over:
                return
            else:
                await asyncio.sleep(POLL_S)
    finally:
        source.close()


def last_lines(source: BinaryIO, older: Iterable[Path], lines: int) -> bytes:
    """The last `lines` of an open log and of its older files, newest first; leaves `source` where they end."""
    found, end = _tail(source, lines)
    source.seek(end)
    for path in older:
        missing = lines - found.count(b"\n")
        if missing <= 0 or not path.exists():
            break
        with path.open("rb") as file:
            found = _tail(file, missing)[0] + found
    return found


def _older(path: Path) -> Iterable[Path]:
    return (path.with_name(f"{path.name}.{number}") for number in range(1, 100))


def _tail(source: BinaryIO, lines: int) -> tuple[bytes, int]:
    """The last lines of one file, read backwards, and its size."""
    size = position = source.seek(0, os.SEEK_END)
    text = b""
    while position > 0 and text.count(b"\n") <= lines:
        start = max(0, position - PIECE_BYTES)
        source.seek(start)
        text = source.read(position - start) + text
        position = start
    kept = text.splitlines(keepends=True)
    return b"".join(kept[max(0, len(kept) - lines) :]), size


def _is_other(path: Path, source: BinaryIO) -> bool:
    """Whether the path names another file by now."""
    try:
        return path.stat().st_ino != os.fstat(source.fileno()).st_ino
    except OSError:
        return False
