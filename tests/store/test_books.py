"""The ledger in SQL: each record once, sums that are those of the records, corrections, prices. On SQLite and a real PostgreSQL."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from alliage.control.books import Asked
from alliage.control.ports import Changes
from alliage.errors import NotFound
from alliage.fleet.limits import Scope
from alliage.ledger.charging import Charge, Pricing, charged, spending
from alliage.ledger.correcting import Correction, counter_entry
from alliage.ledger.device_hours import ListedDevice, device_listed
from alliage.ledger.periods import day_of, day_text
from alliage.ledger.scarcity import Devices, Factor
from alliage.ledger.statements import By, Sums, added
from alliage.store.books import ROWS_A_STATEMENT, SqlBooks
from alliage.store.sql import SqlStore, open_store
from tests.ledger.builders import DECEMBER_S, NOVEMBER_S, a_price, a_record
from tests.store.builders import a_service
from tests.store.grounds import Ground
from tests.store.second_books import BATCH, FACTORS, FACTORS_A_BATCH, PRICING, batch, record

ROOT = Path(__file__).parents[2]
NOVEMBER = Asked(from_s=NOVEMBER_S, until_s=DECEMBER_S)
ALL = Asked()


@pytest.fixture
def store(durable: Ground) -> Iterator[SqlStore]:
    """A new database of each kind."""
    place = durable.place()
    assert place is not None
    with closing(open_store(place)) as opened:
        yield opened


def a_charge(name: str = "r1", **more: object) -> Charge:
    """A record that is charged 444 micros, unless something else is told of it."""
    return charged(a_record(name, **more), Pricing([a_price("chat")]))


def _correct(books: SqlBooks, name: str, to_micros: int, *, made_s: float, dry_run: bool = False) -> Correction:
    def decide(charge: Charge, before: tuple[Correction, ...]) -> Correction:
        return counter_entry(charge, before, to_micros=to_micros, reason="garbled", who="ann", now_s=made_s)

    return books.correct(name, decide, dry_run=dry_run)[1]


def test_a_record_is_kept_whole(store: SqlStore) -> None:
    """Field for field, its price and its charge with it."""
    odd = a_charge("r2", service="free", ttft_s=None, project="", request="ünïcode ✓", is_continued=True, status=503)
    assert odd.price is None
    scarce = replace(a_charge("r4"), micros=500, scarcity_micros=56)
    store.books().take([a_charge(), odd, scarce])
    for charge in (a_charge(), odd, scarce):
        assert store.books().charge(charge.record.id) == (charge, ())
    with pytest.raises(NotFound, match="'r3'"):
        store.books().charge("r3")


def test_what_is_told_again_changes_nothing(store: SqlStore) -> None:
    """The same batch, a part of it in another, one record twice in a batch, an id with other figures: the first one counts."""
    books = store.books()
    first = [a_charge(f"r{number}") for number in range(5)]
    assert books.take(first) == tuple(first)
    once = books.lines(ALL, By.KEY), books.spent(0)

    assert books.take(first) == ()
    assert books.take([a_charge("r0", output_tokens=9999), first[2]]) == ()
    assert (books.lines(ALL, By.KEY), books.spent(0)) == once
    fresh = a_charge("r9")
    assert books.take([first[1], fresh, a_charge("r9", output_tokens=1), first[3]]) == (fresh,)
    assert books.charge("r9") == (fresh, ())
    assert books.take([]) == ()


def test_the_state_does_not_move(store: SqlStore) -> None:
    """Neither usage nor prices move the version, which would have the fleet decided again; commits go on beside it."""
    store.commit(0, Changes(services=(a_service(),)))
    store.books().take([a_charge()])
    store.books().list_prices([a_price()])
    assert store.snapshot().version == 1
    assert store.commit(1, Changes(services=(a_service("late"),))) == 2


def test_a_batch_larger_than_a_statement_is_one_transaction(store: SqlStore) -> None:
    """All of it is taken, and each record counted; a batch that fails at its end leaves nothing."""
    many = [a_charge(f"r{number}") for number in range(2 * ROWS_A_STATEMENT + 3)]
    broken = replace(many[-1], micros=2**70)
    with pytest.raises(Exception, match=r"large|range"):
        store.books().take([*many[:-1], broken])
    assert store.books().charges(ALL, limit=1) == ()
    assert len(store.books().take(many)) == len(many)
    assert store.books().spent(0)[Scope("tenant:acme"), many[0].day] == 444 * len(many)


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_are_those_of_the_records(store: SqlStore, seed: int) -> None:
    """By everything that may be asked, of a tenant and of all, with corrections: against a sum of plain Python, to the micro."""
    draw = random.Random(seed)
    books = store.books()
    charges = [charged(record(index), PRICING) for index in range(300)]
    books.take(charges)
    corrections = [
        _correct(books, each.record.id, draw.randrange(10**6), made_s=NOVEMBER_S + draw.uniform(-2, 40) * 86400)
        for each in draw.sample(charges, 20)
    ]
    names: dict[By, Callable[[Charge], str]] = {
        By.TENANT: lambda each: each.record.tenant,
        By.PROJECT: lambda each: each.record.project,
        By.KEY: lambda each: each.record.key,
        By.SERVICE: lambda each: each.record.service,
        By.MODEL: lambda each: each.record.origin.model,
        By.CHIP: lambda each: each.record.origin.chip,
        By.DAY: lambda each: day_text(each.day),
    }
    by_id = {each.record.id: each for each in charges}
    for asked in (ALL, NOVEMBER, replace(NOVEMBER, tenant="acme"), replace(NOVEMBER, tenant="nobody")):
        mine = [each for each in charges if _is_asked(asked, each, each.record.began_s)]
        made = [entry for entry in corrections if _is_asked(asked, by_id[entry.charge], entry.made_s)]
        for by, name_of in names.items():
            wanted: dict[str, list[Sums]] = {}
            for each in mine:
                wanted.setdefault(name_of(each), []).append(_sums_of(each))
            for entry in made:
                name = day_text(day_of(entry.made_s)) if by is By.DAY else name_of(by_id[entry.charge])
                wanted.setdefault(name, []).append(Sums(corrected_micros=entry.micros))
            lines = books.lines(asked, by)
            assert books.lines(asked, by, recount=True) == lines
            assert {line.name: line.sums for line in lines} == {name: added(parts) for name, parts in wanted.items()}
            assert [line.name for line in lines] == sorted(wanted)
        bill, told = books.bill(asked)
        assert added(line.sums for line in bill) == added(_sums_of(each) for each in mine)
        assert sorted(told, key=repr) == sorted(made, key=repr)
    assert _spent_of(charges, corrections) == books.spent(0)
    assert 0 < sum(each.scarcity_micros for each in charges) < sum(each.micros for each in charges)


def _is_asked(asked: Asked, charge: Charge, at_s: float) -> bool:
    return asked.from_s <= at_s < asked.until_s and asked.tenant in ("", charge.record.tenant)


def _sums_of(charge: Charge) -> Sums:
    record = charge.record
    return Sums(
        requests=1,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        output_tokens=record.output_tokens,
        estimated=1 if record.is_estimated else 0,
        unpriced=1 if record.service == "free" else 0,
        charged_micros=charge.micros,
        scarcity_micros=charge.scarcity_micros,
    )


def _spent_of(charges: list[Charge], corrections: list[Correction]) -> dict[tuple[Scope, int], int]:
    """What was spent by scope and day, a correction on the day of its charge."""
    by_id = {each.record.id: each for each in charges}
    counted = [*charges, *(replace(by_id[each.charge], micros=each.micros) for each in corrections)]
    return dict(spending(counted))


def test_a_month_ends_where_the_next_begins(store: SqlStore) -> None:
    """A request belongs to the month of UTC in which it began, to the last instant, however long it took and whenever it was told."""
    last, first = a_charge("last", began_s=DECEMBER_S - 2**-20, duration_s=600.0), a_charge("first", began_s=DECEMBER_S)
    store.books().take([first, last])
    assert store.books().charges(NOVEMBER, limit=9) == (last,)
    (line,) = store.books().lines(NOVEMBER, By.DAY, recount=True)
    assert store.books().lines(NOVEMBER, By.DAY) == (line,)
    assert (line.name, line.sums.requests) == ("2026-11-30", 1)
    (line,) = store.books().lines(replace(NOVEMBER, from_s=DECEMBER_S, until_s=2 * DECEMBER_S), By.DAY)
    assert line.name == "2026-12-01"


def test_corrections_are_added_and_nothing_is_changed(store: SqlStore) -> None:
    """A counter-entry stands in the month in which it is made, and in the spending of the day of its charge."""
    books = store.books()
    charge = a_charge()
    books.take([charge])
    assert _correct(books, "r1", 0, made_s=DECEMBER_S, dry_run=True).micros == -444
    assert books.charge("r1") == (charge, ())
    first = _correct(books, "r1", 0, made_s=DECEMBER_S)
    second = _correct(books, "r1", 100, made_s=DECEMBER_S + 5)
    assert (first.micros, second.micros) == (-444, 100)
    assert books.charge("r1") == (charge, (first, second))
    assert books.bill(NOVEMBER)[1] == ()
    assert books.bill(replace(NOVEMBER, from_s=DECEMBER_S, until_s=DECEMBER_S + 9)) == ((), (first, second))
    assert books.spent(0)[Scope("key:key-1"), charge.day] == 100
    with pytest.raises(NotFound):
        _correct(books, "r2", 0, made_s=DECEMBER_S)


def test_records_come_in_pages(store: SqlStore) -> None:
    """The newest first, none missing and none twice, also where many began at the same instant; of whom is asked."""
    books = store.books()
    charges = [
        a_charge(f"r{number}", began_s=NOVEMBER_S + number // 4, key=f"key-{number % 2}") for number in range(20)
    ]
    books.take(charges)
    pages, before = list[Charge](), ""
    while page := books.charges(ALL, limit=3, before=before):
        pages.extend(page)
        before = page[-1].record.id
    assert pages == charges[::-1]
    assert books.charges(Asked(key="key-1", service="chat", project="search"), limit=99) == tuple(charges[::-2])
    assert books.charges(Asked(service="other"), limit=99) == ()
    with pytest.raises(NotFound, match="'none'"):
        books.charges(ALL, limit=1, before="none")
    with pytest.raises(NotFound, match="'r1'"):
        books.charges(Asked(tenant="other"), limit=1, before="r1")


def test_prices_are_kept_in_their_order(store: SqlStore) -> None:
    """As they were set, ended ones with them."""
    entries = (a_price("b", from_s=5), a_price("a", from_s=1), a_price("b", None, from_s=9, who="ann"))
    store.books().list_prices(entries[:2])
    store.books().list_prices(entries[2:])
    assert store.books().prices() == entries


def test_device_prices_and_factors_are_kept_in_their_order(store: SqlStore) -> None:
    """As they were added, why with them; all of a batch or none of it."""
    devices = (
        device_listed("nvidia-h20", 1_350_000, from_s=9.0, who="ann", now_s=5.0),
        ListedDevice(chip="nvidia-h20", from_s=7.0, micros_per_hour=None, who="ann", set_s=7.0),
    )
    store.books().list_devices(devices)
    because = Devices(chip="nvidia-h20", site="hall", count=4, list_micros=10, price_micros=14)
    factors = (Factor(service="chat", from_s=9.5, factor_ppm=1_400_000, because=(because,)), *FACTORS)
    store.books().post_factors(factors)
    with pytest.raises(Exception, match=r"large|range"):
        store.books().post_factors([*FACTORS, replace(FACTORS[0], factor_ppm=2**70)])
    assert (store.books().devices(), store.books().factors()) == (devices, factors)
    assert store.books().use_currency("CNY") == "CNY"
    assert store.books().use_currency("USD") == "CNY", "a device-hour is priced in it"


def test_factors_are_posted_whole_however_control_dies(durable: Ground) -> None:
    """Killed by SIGKILL at whatever instant: what was answered is there, and of what was not the whole batch or nothing."""
    place = durable.place()
    command = [sys.executable, "-m", "tests.store.second_books", str(place), "factors"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as control:
        assert control.stdout is not None
        for _ in range(20):
            answered = int(control.stdout.readline())
        control.kill()
        answered = [answered, *(int(line) for line in control.stdout if line.endswith("\n"))][-1]
    assert place is not None
    with closing(open_store(place)) as store:
        kept = store.books().factors()
    assert len(kept) % FACTORS_A_BATCH == 0
    assert len(kept) // FACTORS_A_BATCH - answered in (1, 2)


def test_the_currency_stays_once_money_is_in_it(store: SqlStore) -> None:
    """It may change while the books are empty, or hold what cost nothing; then the kept one is told."""
    books = store.books()
    assert [books.use_currency(each) for each in ("USD", "CNY", "CNY")] == ["USD", "CNY", "CNY"]
    books.take([a_charge(service="free")])
    assert books.use_currency("EUR") == "EUR"
    books.take([a_charge("r2")])
    assert [books.use_currency(each) for each in ("CNY", "EUR")] == ["EUR", "EUR"]


def test_prices_alone_keep_the_currency(store: SqlStore) -> None:
    """A list of prices means another thing in another currency."""
    store.books().use_currency("CNY")
    store.books().list_prices([a_price()])
    assert store.books().use_currency("USD") == "CNY"


def test_threads_write_beside_the_loop(store: SqlStore) -> None:
    """Two threads tell the same records while commits go on: each is kept once, and no commit fails."""
    books, taken = store.books(), list[Charge]()

    def tell() -> None:
        for number in range(8):
            taken.extend(books.take([charged(each, PRICING) for each in batch(number)]))

    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for version in range(10):
        assert store.commit(version, Changes(services=(a_service(f"s{version}"),))) == version + 1
    for thread in threads:
        thread.join()
    assert len(taken) == len({each.record.id for each in taken}) == 8 * BATCH + 1
    assert books.spent(0) == _spent_of(taken, [])


def test_each_record_once_however_control_dies(durable: Ground) -> None:
    """Killed by SIGKILL between commit and answer, and at other instants; what was not answered is told again, with some that was."""
    draw, total, answered = random.Random(1), 40, -1
    place = durable.place()
    for kill in count():
        first = max(0, answered + 1 - draw.randrange(3))
        dies_after = first + draw.randrange(3, 20) if kill % 2 == 0 else -1
        reads = draw.randrange(5, 20) if dies_after < 0 else total
        answered = max(answered, _take_and_kill(str(place), first, total, dies_after, reads))
        if answered == total - 1:
            break
    assert place is not None
    with closing(open_store(place)) as store:
        books = store.books()
        wanted = [charged(record(index), PRICING) for index in range(total * BATCH + 1)]
        assert sum(line.sums.requests for line in books.lines(ALL, By.KEY)) == len(wanted)
        assert added(line.sums for line in books.lines(ALL, By.KEY)) == added(_sums_of(each) for each in wanted)
        assert books.lines(ALL, By.DAY) == books.lines(ALL, By.DAY, recount=True)
        assert books.spent(0) == _spent_of(wanted, [])


def _take_and_kill(place: str, first: int, until: int, dies_after: int, reads: int) -> int:
    """The last batch that was answered before the end of a process that was killed after so many answers, or by itself."""
    arguments = [place, *(str(each) for each in (first, until, dies_after))]
    command = [sys.executable, "-m", "tests.store.second_books", *arguments]
    answered = -1
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as control:
        assert control.stdout is not None
        try:
            for _ in range(reads):
                line = control.stdout.readline()
                if not line.endswith("\n"):
                    break
                answered = int(line)
        finally:
            control.kill()
        for line in control.stdout:
            answered = int(line) if line.endswith("\n") else answered
    return answered
