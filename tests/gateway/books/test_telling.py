"""Telling control of usage: nothing counts as told that was not sent."""

from pathlib import Path

from alliage.gateway.books.entries import END, TOLD, UNSEEN, names_payload, whole_entry
from alliage.gateway.books.journal import Journal, Names
from alliage.gateway.books.reading import Written
from alliage.gateway.books.telling import Teller
from alliage.link.messages import UsageEncoded, UsageTaken
from alliage.units import MIB


def _put(journal: Journal, request: bytes) -> None:
    """A finished request's record."""
    number = journal.named(Names(names_payload(None, "m", "/v1/completions", None), None, None))
    journal.put(whole_entry(END, 0, number, 1, 1, 0, 2, 5, UNSEEN, UNSEEN, 200, TOLD | 1, request))


def test_what_is_taken_after_the_line_was_lost_leaves_the_next_records_untold(tmp_path: Path) -> None:
    """An answer that had come before the line broke is heard after it; a gateway that ends then must still find what it has to tell."""
    journal = Journal(tmp_path / "usage", bytes_max=MIB)
    written, teller, told = Written(journal), Teller(), list[UsageEncoded]()
    teller.sources[journal.name] = written
    _put(journal, b"a")
    teller.begin(told.append)
    teller.tell()
    _put(journal, b"b")
    teller.lost()
    teller.hear(UsageTaken(journal=journal.name, upto=told[0].upto))
    assert teller.is_done
    assert len(written.batch(9)[0]) == 1
    teller.begin(told.append)
    teller.tell()
    assert [len(each.records) for each in told] == [1, 1]
    assert told[1].upto > told[0].upto
    journal.close(is_done=True)
