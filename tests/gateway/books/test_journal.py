"""The journal on the disk: private, one owner, room set aside beforehand, segments gone when nobody needs them, told by an heir."""

import errno
import os
import resource
from pathlib import Path

import pytest

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry
from alliage.fleet.usage import Ending
from alliage.gateway.books.journal import Journal, Names, own, segment_path
from alliage.gateway.books.keeping import inherited
from alliage.gateway.books.reading import DAMAGED, Inherited, Written
from alliage.link.entries import BEGIN, END, FIRST, MARK, OPEN, SO_FAR, TOLD, entry, names_payload, request_check
from alliage.link.stretches import StretchReader
from alliage.units import KIB, MIB
from tests.gateway.books.reading import all_of, read_next
from tests.link.telling import whole

_SEGMENT = 4 * KIB


def _journal(folder: Path, bytes_max: int = MIB) -> Journal:
    return Journal(folder / "usage", bytes_max=bytes_max, segment_bytes=_SEGMENT)


def _names() -> Names:
    return Names(names_payload(None, "m", "/v1/completions", None), None)


def _put(journal: Journal, names: Names, kind: int, request: str, *, first: int = 0, tokens: int = 0) -> int:
    journal.room(512)
    state = TOLD | 1 if kind == END else 0
    number = journal.named(names)
    if kind != BEGIN:
        return journal.put(whole(kind, first, number, request.encode(), tokens=tokens, state=state))
    assert journal.current is not None
    return journal.current.begin(number, 1, request.encode(), request_check(request.encode()))


def _read_and_flushed(folder: Path) -> tuple[Journal, Written]:
    """One of many segments, all of them read and on the disk: those that are taken are forgotten."""
    journal, names = _journal(folder), _names()
    source = Written(journal)
    for number in range(100):
        _put(journal, names, END, f"r{number}")
    all_of(source)
    journal.flush()
    journal.flush()
    return journal, source


def _dies(journal: Journal) -> None:
    """As the kernel leaves it: files as they are, the lock let go."""
    os.close(journal._lock)


def _mapped(folder: Path) -> int:
    """Segments of a journal that this process holds, also those that are unlinked."""
    return Path("/proc/self/maps").read_text().count(f"{folder}/")


def test_it_is_private_and_has_one_owner(tmp_path: Path) -> None:
    """Folder 0700, files 0600, set aside in full; nobody else gets the lock while its process lives."""
    journal = _journal(tmp_path)
    files = list(journal.folder.iterdir())
    assert [oct(path.stat().st_mode & 0o777) for path in (journal.folder, *files)] == ["0o700", "0o600", "0o600"]
    assert all(path.stat().st_blocks * 512 >= _SEGMENT for path in files)
    assert own(journal.folder) is None
    assert inherited(tmp_path / "usage") == []
    journal.close(is_done=True)
    assert not journal.folder.exists()


def test_records_come_in_order_across_segments_once(tmp_path: Path) -> None:
    """Of many segments; those that control has taken are gone from the disk, but for the one that is written."""
    journal, names = _journal(tmp_path), _names()
    source = Written(journal)
    for number in range(200):
        assert _put(journal, names, END, f"r{number}") > 0
    assert len(journal.segments) > 3
    found = all_of(source)
    assert [each.request for each in found] == [f"r{number}" for number in range(200)]
    assert len({each.id for each in found}) == 200
    journal.flush()
    journal.flush()
    held = _mapped(journal.folder)
    source.take(source.taken)
    assert journal.segments == [journal.current]
    assert [path.name for path in journal.folder.glob("*.seg")] == [journal.segments[0].path.name]
    assert _mapped(journal.folder) == held > 4  # to let go of them is for the thread that flushes
    journal.flush()
    assert _mapped(journal.folder) == 2  # the spare one too
    assert all_of(source) == []
    journal.close(is_done=True)
    assert _mapped(journal.folder) == 0


def test_what_was_forgotten_is_let_go_of_at_the_end(tmp_path: Path) -> None:
    """Also where nothing is flushed any more."""
    journal, source = _read_and_flushed(tmp_path)
    source.take(source.taken)
    journal.close(is_done=True)
    assert _mapped(journal.folder) == 0


def test_a_disk_that_fails_keeps_nothing_open(tmp_path: Path) -> None:
    """What was forgotten is let go of though what is written now cannot be flushed, and counts as held until then."""
    journal, source = _read_and_flushed(tmp_path)
    held = journal.held_bytes
    source.take(source.taken)
    assert (journal.held_bytes, len(journal.segments)) == (held, 1)
    assert journal.current is not None
    reading, writing = os.pipe()  # of which nothing can be put on a disk
    os.dup2(writing, journal.current._file)
    with pytest.raises(OSError, match="Invalid argument"):
        journal.flush()
    assert _mapped(journal.folder) == 2
    assert journal.held_bytes == 2 * _SEGMENT
    for each in (reading, writing):
        os.close(each)
    journal.close(is_done=True)


def test_what_was_forgotten_makes_room_when_it_is_asked_for(tmp_path: Path) -> None:
    """At the bound nobody waits for a flush."""
    journal, names = _journal(tmp_path, bytes_max=4 * _SEGMENT), _names()
    source, written = Written(journal), 0
    while journal.room(512):
        _put(journal, names, END, f"r{written}")
        written += 1
    assert len(all_of(source)) == written
    journal.flush()
    journal.flush()
    source.take(source.taken)
    journal._again_s = 0.0  # a second later
    assert journal.room(512)
    journal.close(is_done=True)


def test_what_was_told_and_not_taken_is_told_again(tmp_path: Path) -> None:
    """From the last taken place on, also in the middle of a segment, with the same ids."""
    journal, names = _journal(tmp_path), _names()
    source = Written(journal)
    for number in range(20):
        _put(journal, names, END, f"r{number}")
    reader = StretchReader()
    some = read_next(source, reader)
    assert some is not None
    source.take(some.upto)
    told = read_next(source, reader)
    source.again()
    assert read_next(source, StretchReader()) == told
    assert 0 < len(some.records) < 20
    assert [each.request for each in all_of(source)] == [f"r{number}" for number in range(len(some.records), 20)]
    journal.close(is_done=True)


def test_the_heir_of_a_dead_process_tells_all_of_it(tmp_path: Path) -> None:
    """Its records as it would have told them, then what was open, cut, as far as its last mark, under the id it would have had."""
    journal, names = _journal(tmp_path), _names()
    kinds = (OPEN, BEGIN, BEGIN, OPEN)
    opened = [_put(journal, names, kind, f"open{number}") for number, kind in enumerate(kinds)]
    for number in range(60):
        _put(journal, names, END, f"r{number}")
    journal.room(512)
    journal.put(entry(MARK, SO_FAR.pack(opened[1], 9, 0, 17, 2, 1, 200, 0)))
    journal.put(entry(MARK, SO_FAR.pack(opened[1], 9, 0, 19, 2, 1, 200, 0)))
    journal.put(entry(MARK, SO_FAR.pack(opened[3], 9, 0, 4, 2, 1, 499, 3)))
    _put(journal, names, END, "open2", first=opened[2], tokens=5)
    expected = all_of(Written(journal))
    _dies(journal)
    (heir,) = inherited(tmp_path / "usage")
    assert inherited(tmp_path / "usage") == []
    assert heir.name == journal.name
    found = all_of(heir)
    assert found[: len(expected)] == expected
    cut = {each.request: each for each in found[len(expected) :]}
    assert set(cut) == {"open0", "open1", "open3"}
    assert (cut["open0"].output_tokens, cut["open0"].ending, cut["open0"].is_estimated) == (0, Ending.CUT, True)
    assert (cut["open1"].prompt_tokens, cut["open1"].output_tokens) == (9, 19)
    assert cut["open1"].id == f"{journal.name}-{opened[1]}"
    assert (cut["open3"].ending, cut["open3"].status) == (Ending.CANCELLED, 499)
    assert not heir._folder.exists()


def test_what_was_cut_is_each_ones_own(tmp_path: Path) -> None:
    """Requests of several keys that were open in several segments: each is cut under its own names."""
    journal = _journal(tmp_path)
    keys = [KeyEntry(key=KeyId(f"k{number}"), tenant="t", role=Role.USER) for number in range(3)]
    names = [Names(names_payload(key, "m", "/v1/completions", None), None) for key in keys]
    order = (1, 1, 0, 2, 2, 0, 0, 1, 2, 1)
    for place, number in enumerate(order):
        _put(journal, names[number], BEGIN, f"open{place}")
        for _ in range(20):
            _put(journal, names[0], END, "r")
    assert len(journal.segments) > 2
    _dies(journal)
    (heir,) = inherited(tmp_path / "usage")
    cut = {each.request: each.key for each in all_of(heir) if each.ending is Ending.CUT}
    assert cut == {f"open{place}": f"k{number}" for place, number in enumerate(order)}


def test_an_heir_that_dies_leaves_it_to_the_next(tmp_path: Path) -> None:
    """Which tells the same, from the beginning: control knows them by their ids."""
    journal, names = _journal(tmp_path), _names()
    _put(journal, names, BEGIN, "open")
    for number in range(60):
        _put(journal, names, END, f"r{number}")
    _dies(journal)
    (heir,) = inherited(tmp_path / "usage")
    some = read_next(heir, StretchReader())
    assert some is not None
    heir.take(some.upto)
    heir.close()
    (next_heir,) = inherited(tmp_path / "usage")
    found = all_of(next_heir)
    assert list(some.records) == found[: len(some.records)]
    assert 0 < len(some.records) < 60
    assert len(found) == 61


def test_an_open_request_keeps_its_segment(tmp_path: Path) -> None:
    """However much was taken, until it is written down elsewhere."""
    journal, names = _journal(tmp_path), _names()
    source = Written(journal)
    first = journal.segments[0]
    first.pins += 1
    for number in range(200):
        _put(journal, names, END, f"r{number}")
    journal.flush()
    journal.flush()
    all_of(source)
    assert journal.segments == [first, journal.current]
    first.pins -= 1
    source.take(source.taken)
    assert journal.segments == [journal.current]
    journal.close(is_done=True)


def test_a_journal_that_is_not_as_it_was_written_is_put_aside(tmp_path: Path) -> None:
    """A segment in the middle that is damaged: what can be read is told, once, and the files stay for a person to see."""
    journal, names = _journal(tmp_path), _names()
    for number in range(100):
        _put(journal, names, END, f"r{number}")
    _dies(journal)
    middle = segment_path(journal.folder, journal.segments[1].start)
    middle.write_bytes(b"\x01" + middle.read_bytes()[1:])
    (heir,) = inherited(tmp_path / "usage")
    told = {each.request for each in all_of(heir)}
    assert {"r0", "r99"} <= told
    assert len(told) < 100
    assert inherited(tmp_path / "usage") == []
    assert [path.suffix for path in (tmp_path / "usage").iterdir()] == [DAMAGED]


def test_a_journal_that_cannot_be_read_now_is_left_alone(tmp_path: Path) -> None:
    """To tell the rest would tell requests as cut that ended where nobody can look. It is looked at again, and then all is told."""
    journal, names = _journal(tmp_path), _names()
    for number in range(100):
        _put(journal, names, END, f"r{number}")
    _dies(journal)
    middle = segment_path(journal.folder, journal.segments[1].start)
    away = middle.with_suffix(".away")
    middle.rename(away)
    middle.symlink_to(tmp_path)  # reading a folder fails for everyone
    assert inherited(tmp_path / "usage") == []
    middle.unlink()
    away.rename(middle)
    (heir,) = inherited(tmp_path / "usage")
    assert [each.request for each in all_of(heir)] == [f"r{number}" for number in range(100)]


@pytest.mark.parametrize("why", ["the bound", "the disk", "a file's limit"])
def test_without_room_nothing_new_is_promised_and_the_spare_keeps_old_promises(tmp_path: Path, why: str) -> None:
    """No segment, no signal: `room` says no. One that was set aside before takes what is open. With room it goes on by itself."""
    full = False

    def allocate(file: int, at: int, size: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate(file, at, size)

    bytes_max = 3 * _SEGMENT if why == "the bound" else MIB
    journal = Journal(tmp_path / "usage", bytes_max=bytes_max, segment_bytes=_SEGMENT, allocate=allocate)
    names = _names()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if why == "the disk":
            full = True
        elif why == "a file's limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (_SEGMENT // 2, hard))
        written = 0
        while journal.room(512):
            _put(journal, names, END, f"r{written}")
            written += 1
        assert journal.why_full
        assert journal.turn_to_spare()
        assert not journal.room(512)
        number = journal.named(names)
        last = whole(END, 0, number, b"promised", tokens=1, state=TOLD | 1)
        assert journal.put(last) > 0
        assert not journal.turn_to_spare()
    finally:
        full = False
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    source = Written(journal)
    found = [each.request for each in all_of(source)]
    assert found == [*(f"r{number}" for number in range(written)), "promised"]
    journal.flush()
    journal.flush()
    source.take(source.taken)
    journal._again_s = 0.0  # a second later
    assert journal.room(512)
    assert not journal.why_full
    journal.close(is_done=True)


@pytest.mark.parametrize("words", [b'[1,"NAME",0]', b'{"format":1,"journal":"NAME","start":0}'])
def test_a_journal_of_another_format_is_put_aside(tmp_path: Path, words: bytes) -> None:
    """Nothing of it is told, and nothing of it is lost: a person may find a gateway that reads it."""
    journal = _journal(tmp_path)
    _dies(journal)
    (path,) = journal.folder.glob("*.seg")
    data = entry(FIRST, words.replace(b"NAME", journal.name.encode())) + b"in another format" * 9
    path.write_bytes(data)
    (heir,) = inherited(tmp_path / "usage")
    assert all_of(heir) == []
    (aside,) = (tmp_path / "usage").iterdir()
    assert aside.suffix == DAMAGED
    assert (aside / path.name).read_bytes() == data


def test_nothing_left_of_a_process_that_died_at_once(tmp_path: Path) -> None:
    """A journal without a record is taken away."""
    journal = _journal(tmp_path)
    _dies(journal)
    (heir,) = inherited(tmp_path / "usage")
    assert isinstance(heir, Inherited)
    assert all_of(heir) == []
    assert not journal.folder.exists()
