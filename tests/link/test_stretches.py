"""Stretches of a journal read as they come: in order, cut anywhere, and refused where something is missing."""

from dataclasses import replace
from typing import Final

import pytest

from alliage.errors import LinkError
from alliage.fleet.usage import UsageRecord
from alliage.link.entries import NAMES, entry, first_entry
from alliage.link.messages import UsageTold
from alliage.link.stretches import StretchReader
from tests.ledger.builders import a_record
from tests.link.telling import end_of, names_of, told


def _journal(records: list[UsageRecord]) -> bytes:
    """Two segments without a gap: in each the names come first."""
    half = len(records) // 2
    data = b""
    for some in (records[:half], records[half:]):
        words = list(dict.fromkeys(map(names_of, some)))
        data += first_entry("j", len(data)) + b"".join(entry(NAMES, each) for each in words)
        data += b"".join(end_of(each, words.index(names_of(each))) for each in some)
    return data


def _read_all(data: bytes, size: int) -> list[UsageRecord]:
    """In stretches of so many bytes, each from where the last was read to."""
    reader, found, at = StretchReader(), list[UsageRecord](), 0
    while at < len(data):
        part = data[at : at + size]
        read = reader.read(UsageTold(journal="j", number=1, at=at, names=None if at else (), entries=part))
        assert at < read.upto <= at + len(part)
        found += read.records
        at = read.upto
    return found


@pytest.mark.parametrize("size", [400, 401, 777, 10_000])
def test_wherever_a_stretch_is_cut_each_record_is_read_once(size: int) -> None:
    """A part of an entry waits for the next stretch; names hold from one to the next, and anew in each segment."""
    records = [a_record(f"j-{place}", tenant=f"t{place % 3}") for place in range(1, 13)]
    assert _read_all(_journal(records), size) == records


def test_a_stretch_without_its_names_is_refused() -> None:
    """Of one that was never read, or after one that was missed: nothing is guessed. With the names it is read."""
    reader = StretchReader()
    first = told(1, a_record("j-1"))
    second = UsageTold(journal="j", number=2, at=len(first.entries), names=None, entries=end_of(a_record("j-2"), 0))
    with pytest.raises(LinkError, match="without the names"):
        reader.read(second)
    reader.read(first)
    missed = UsageTold(journal="j", number=2, at=len(first.entries) + 1, names=None, entries=second.entries)
    with pytest.raises(LinkError, match="without the names"):
        reader.read(missed)
    with pytest.raises(LinkError, match="without the names"):
        reader.read(second)  # what was known is not believed any more
    again = UsageTold(journal="j", number=3, at=second.at, names=(names_of(a_record("j-1")),), entries=second.entries)
    assert reader.read(again).records == (a_record("j-2"),)


_TORN: Final = end_of(a_record("j-1"), 0)[:-1] + b"?"


@pytest.mark.parametrize("entries", [end_of(a_record("j-1"), 5), entry(NAMES, b"{]"), _TORN, b"\x01" * 40])
def test_what_is_no_journal_is_refused(entries: bytes) -> None:
    """A number without a name, names that are none, an entry that is not as it was written, no entry at all."""
    with pytest.raises(LinkError, match=r"is none|no whole entry"):
        StretchReader().read(UsageTold(journal="j", number=1, at=0, names=(), entries=entries))


def test_each_journal_has_its_own_names() -> None:
    """One line tells its own and those of the dead."""
    reader = StretchReader()
    one, other = a_record("a-1", tenant="one"), a_record("b-1", tenant="other")
    reader.read(told(1, one, journal="a"))
    reader.read(told(2, other, journal="b"))
    at = len(told(1, one).entries)
    more = reader.read(UsageTold(journal="a", number=3, at=at, names=None, entries=end_of(replace(one, id="a-2"), 0)))
    assert more.records == (replace(one, id="a-2"),)
