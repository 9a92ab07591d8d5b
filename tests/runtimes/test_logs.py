"""Reading logs across rotation."""

import asyncio
from pathlib import Path

import pytest

from alliage.errors import NotFound
from alliage.runtimes.logs import PIECE_BYTES, last_lines, read_log


def test_the_last_lines_come_from_older_files_too(tmp_path: Path) -> None:
    """A tail goes on in the older files, newest last, and stops at the asked number."""
    log = tmp_path / "engine.log"
    (tmp_path / "engine.log.2").write_text("1\n2\n")
    (tmp_path / "engine.log.1").write_text("3\n4\n")
    log.write_text("5\n")
    older = (tmp_path / "engine.log.1", tmp_path / "engine.log.2", tmp_path / "engine.log.3")
    with log.open("rb") as source:
        assert last_lines(source, older, 2) == b"4\n5\n"
        assert last_lines(source, older, 4) == b"2\n3\n4\n5\n"
        assert last_lines(source, older, 99) == b"1\n2\n3\n4\n5\n"
        assert last_lines(source, older, 0) == b""
        assert source.tell() == 2


def test_long_files_are_read_from_their_end(tmp_path: Path) -> None:
    """Lines that span the pieces in which a file is read backwards come whole, also an unfinished last one."""
    log = tmp_path / "engine.log"
    lines = [f"{n}:" + "ä" * 700 for n in range(300)]
    log.write_text("\n".join(lines))
    assert log.stat().st_size > 2 * PIECE_BYTES
    with log.open("rb") as source:
        assert last_lines(source, (), 150).decode().splitlines() == lines[-150:]


def test_a_follower_sees_what_comes_across_a_rotation(tmp_path: Path) -> None:
    """Text written before, after and during a rotation arrives once and in order, and the end comes when told."""
    log = tmp_path / "engine.log"
    log.write_text("old\n")
    over = asyncio.Event()

    async def play() -> str:
        said = ""
        async for text in read_log(log, lines=10, follow=True, is_over=over.is_set):
            said += text
            if said.endswith("old\n"):
                with log.open("a") as file:
                    file.write("more\n")
                log.rename(tmp_path / "engine.log.1")
                log.write_text("new\n")
            if said.endswith("new\n"):
                with log.open("a") as file:
                    file.write("last\n")
                over.set()
        return said

    assert asyncio.run(asyncio.wait_for(play(), 20)) == "old\nmore\nnew\nlast\n"


def test_a_follower_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    """Following may begin before the engine does; without following, or when the replica goes, no log is said."""

    async def play() -> str:
        log = tmp_path / "engine.log"
        reading = asyncio.ensure_future(anext(read_log(log, lines=1, follow=True, is_over=lambda: False)))
        await asyncio.sleep(0)
        log.write_text("hello\n")
        return await asyncio.wait_for(reading, 10)

    assert asyncio.run(play()) == "hello\n"
    for follow in (False, True):
        with pytest.raises(NotFound):
            asyncio.run(_first(tmp_path / "none" / "engine.log", follow=follow))


async def _first(path: Path, *, follow: bool) -> str:
    return await anext(read_log(path, lines=1, follow=follow, is_over=lambda: True))
