"""Telling control of usage: nothing counts as told that was not sent."""

import asyncio
import os
from pathlib import Path

import pytest

from alliage.fleet.ids import ReplicaId
from alliage.fleet.usage import UsageRecord
from alliage.gateway.books.counting import Counting
from alliage.gateway.books.journal import Journal, Names
from alliage.gateway.books.keeping import Keeper, inherited, open_books
from alliage.gateway.books.reading import Source, Written
from alliage.gateway.books.telling import Teller
from alliage.gateway.flights import Flights
from alliage.gateway.limits import GatewayLimits
from alliage.link.entries import END, TOLD, names_payload
from alliage.link.messages import UsageTaken, UsageTold
from alliage.link.stretches import Read, StretchReader
from alliage.units import KIB, MIB
from tests.link.telling import whole


def _put(journal: Journal, request: bytes) -> None:
    """A finished request's record."""
    journal.room(KIB)
    number = journal.named(Names(names_payload(None, "m", "/v1/completions", None), None))
    journal.put(whole(END, 0, number, request, state=TOLD | 1))


def _taken(told: UsageTold, read: Read) -> UsageTaken:
    return UsageTaken(journal=told.journal, number=told.number, upto=read.upto, records=len(read.records))


def test_what_is_taken_after_the_line_was_lost_leaves_the_next_records_untold(tmp_path: Path) -> None:
    """An answer that had come before the line broke is heard after it; a gateway that ends then must still find what it has to tell."""
    journal = Journal(tmp_path / "usage", bytes_max=MIB)
    written, teller, told = Written(journal), Teller(), list[UsageTold]()
    teller.sources[journal.name] = written
    _put(journal, b"a")
    teller.begin(told.append)
    teller.tell()
    _put(journal, b"b")
    teller.lost()
    one = StretchReader().read(told[0])
    teller.hear(_taken(told[0], one))
    assert teller.is_done
    assert written.stretch(KIB) is not None
    teller.begin(told.append)
    teller.tell()
    two = StretchReader().read(told[1])
    assert [each.request for each in one.records + two.records] == ["a", "b"]
    assert (told[1].at, len(told)) == (one.upto, 2)
    journal.close(is_done=True)


def test_a_backlog_is_told_at_once_and_the_rest_when_it_is_time(tmp_path: Path) -> None:
    """What was behind a stretch goes with the answer to it, what came since does not: else each answer would be a reason to tell."""
    journal = Journal(tmp_path / "usage", bytes_max=MIB)
    teller, told, reader = Teller(), list[UsageTold](), StretchReader()
    teller.sources[journal.name] = Written(journal)
    for number in range(1000):
        _put(journal, b"r%d" % number)
    teller.begin(told.append)
    teller.tell()
    found = []
    for each in told:  # grows as it is heard
        read = reader.read(each)
        found += [record.request for record in read.records]
        if len(told) < 3:
            assert not teller.is_done
        _put(journal, b"late")
        teller.hear(_taken(each, read))
    assert found[:1000] == [f"r{number}" for number in range(1000)]
    assert len(told) >= 3
    assert teller.is_done
    assert teller.taken == len(found) < 1000 + len(told)
    teller.tell()
    assert len(reader.read(told[-1]).records) + len(found) == 1000 + len(told) - 1
    journal.close(is_done=True)


def test_a_late_answer_is_as_good(tmp_path: Path) -> None:
    """After the line was lost all is told anew, with the names before. What control says it has it has, whichever telling it answers.

    A ledger that takes longer than a gateway waits would never be done else. The last telling is still to be answered.
    """
    journal = Journal(tmp_path / "usage", bytes_max=MIB)
    written, teller, told = Written(journal), Teller(), list[UsageTold]()
    teller.sources[journal.name] = written
    _put(journal, b"a")
    teller.begin(told.append)
    teller.tell()
    teller.begin(told.append)
    teller.tell()
    first, second = told
    assert (first.at, first.entries, first.names) == (second.at, second.entries, second.names)
    teller.hear(_taken(first, StretchReader().read(first)))
    assert (written.taken, teller.taken, teller.is_done) == (first.at + len(first.entries), 1, False)
    teller.hear(_taken(second, StretchReader().read(second)))
    assert (teller.taken, teller.is_done) == (1, True)
    assert written.stretch(KIB) is None
    journal.close(is_done=True)


@pytest.mark.parametrize("is_dead", [False, True])
def test_an_entry_longer_than_a_stretch_is_told_alone(tmp_path: Path, *, is_dead: bool) -> None:
    """Names that somebody made 100 KiB long hold up nothing: neither what is before them nor what comes behind."""
    journal = Journal(tmp_path / "usage", bytes_max=MIB, segment_bytes=256 * KIB)
    teller, told, reader = Teller(), list[UsageTold](), StretchReader()
    long = Names(names_payload(None, "m" * 100 * KIB, "/v1/completions", None), None)
    _put(journal, b"before")
    for request in (b"a", b"b"):
        journal.put(whole(END, 0, journal.named(long), request, state=TOLD | 1))
    _put(journal, b"behind")
    source: Source = Written(journal)
    if is_dead:
        os.close(journal._lock)
        (source,) = inherited(tmp_path / "usage")
    teller.sources[source.name] = source
    teller.begin(told.append)
    teller.tell()
    found: list[UsageRecord] = []
    for each in told:  # grows as it is heard
        read = reader.read(each)
        found += read.records
        teller.hear(_taken(each, read))
    assert [record.request for record in found] == ["before", "a", "b", "behind"]
    assert {len(record.service) for record in found} == {1, 100 * KIB}
    assert teller.is_done


def test_telling_waits_for_a_lull(tmp_path: Path) -> None:
    """While a request is in work nothing is told for some milliseconds, and then all the same."""

    async def main() -> float:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        limits = GatewayLimits(usage_tell_s=0.001)
        books, teller, flights = open_books(tmp_path / "usage", MIB), Teller(), Flights(lambda _: None)
        counting = Counting(books, {}, lambda _: ())
        keeper = Keeper(tmp_path / "usage", books, teller, counting, flights=flights, limits=limits)
        assert books.journal is not None
        _put(books.journal, b"a")
        flights.take(ReplicaId("one"))
        began_s = loop.time()
        teller.begin(lambda _: told.set())
        running = asyncio.create_task(keeper.run())
        await asyncio.wait_for(told.wait(), 30)
        took_s = loop.time() - began_s
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        books.journal.close(is_done=True)
        return took_s

    assert asyncio.run(main()) > 0.0055
