"""The bookkeeper over a real SQLite ledger, on a clock that moves when told to: taking, spending, prices, corrections."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from alliage.control.bookkeeping import Bookkeeper
from alliage.control.books import Asked
from alliage.errors import BadInput, Conflict, NotFound, StoreError, Unavailable
from alliage.fleet.limits import key_scope, project_scope, tenant_scope
from alliage.fleet.prices import FREE, TokenPrice
from alliage.ledger.charging import Charge
from alliage.ledger.periods import Month, parse_month
from alliage.ledger.statements import By
from alliage.store.books import SqlBooks
from alliage.store.sql import SqlStore
from tests.builders import a_service
from tests.control.world import FakeClock
from tests.ledger.builders import DECEMBER_S, NOVEMBER_S, PRICE, a_record
from tests.store.ready import ready_store

NOVEMBER = parse_month("2026-11")
ACME = tenant_scope("acme")


def clock_at(now_s: float) -> FakeClock:
    """A clock that tells this time."""
    clock = FakeClock()
    clock.wall_shift_s = now_s - clock.now_s()
    return clock


@dataclass(slots=True)
class Scene:
    """A bookkeeper and what it stands on."""

    store: SqlStore
    clock: FakeClock
    books: Bookkeeper

    def set_price(self, pattern: str = "*", price: TokenPrice = PRICE, *, from_s: float | None = None) -> None:
        """List a price."""
        asyncio.run(self.books.set_price(pattern, price, from_s=from_s, who="admin", dry_run=False))

    def take(self, *names: str, **more: object) -> None:
        """Tell records of these ids."""
        asyncio.run(self.books.take([a_record(name, **more) for name in names]))

    def again(self) -> Bookkeeper:
        """Control began anew."""
        return Bookkeeper(self.store.books(), self.clock, currency="CNY")


@contextmanager
def scene(folder: Path, now_s: float = NOVEMBER_S) -> Iterator[Scene]:
    """With one price for all from the beginning of November."""
    with closing(ready_store(folder)) as store:
        clock = clock_at(now_s)
        made = Scene(store, clock, Bookkeeper(store.books(), clock, currency="CNY"))
        made.set_price()
        with closing(made.books):
            yield made


def test_what_is_taken_is_on_the_bill_once(tmp_path: Path) -> None:
    """Told twice, charged once; usage, bill and records tell the same sum."""
    with scene(tmp_path) as it:
        for _ in range(2):
            it.take("r1", "r2")
        bill = asyncio.run(it.books.bill(tenant="acme", month=NOVEMBER))
        usage = asyncio.run(it.books.usage(tenant="", month=NOVEMBER, by=By.KEY))
        records = asyncio.run(it.books.records(Asked(), limit=9, before=""))
        assert bill.total == usage.total
        assert bill.total.total_micros == sum(each.micros for each in records) == 888
        assert (bill.currency, usage.lines[0].name) == ("CNY", "key-1")


def test_spending_is_since_the_days_or_months_beginning(tmp_path: Path) -> None:
    """By tenant, project and key, of days of UTC; a control that began anew knows the same."""
    day_s = NOVEMBER_S + 14 * 86400
    with scene(tmp_path) as it:
        it.take("before", began_s=day_s - 0.5)
        it.take("r1", "r2", began_s=day_s)
        it.take("other", tenant="duck", key="key-2", began_s=day_s)
        for books in (it.books, it.again()):
            assert books.spent_micros(ACME, day_s) == 888
            assert books.spent_micros(ACME, NOVEMBER_S) == 3 * 444
            assert books.spent_micros(project_scope("acme", "search"), day_s) == 888
            assert books.spent_micros(key_scope("key-2"), day_s) == 444
            assert books.spent_micros(tenant_scope("nobody"), 0) == 0


def test_past_months_are_still_known(tmp_path: Path) -> None:
    """In December what was spent in November is left out of memory, and read from the store where somebody asks."""
    with scene(tmp_path) as it:
        it.take("r1")
        it.clock.wall_shift_s += 30 * 86400
        it.take("late")
        it.take("r2", began_s=DECEMBER_S + 1)
        assert it.books.spent_micros(ACME, DECEMBER_S) == 444
        assert it.books.spent_micros(ACME, NOVEMBER_S) == 3 * 444


def test_a_correction_counts_to_the_day_of_its_charge(tmp_path: Path) -> None:
    """Money that is given back may be spent again within the limit by which it was spent, and a dry run gives nothing."""
    with scene(tmp_path) as it:
        it.take("r1", "r2")

        def correct(name: str, *, dry_run: bool) -> int:
            made = it.books.correct(name, to_micros=0, reason="garbled", who="ann", dry_run=dry_run)
            return asyncio.run(made).micros

        assert correct("r1", dry_run=True) == -444
        assert it.books.spent_micros(ACME, NOVEMBER_S) == 888
        assert correct("r1", dry_run=False) == -444
        assert it.books.spent_micros(ACME, NOVEMBER_S) == it.again().spent_micros(ACME, NOVEMBER_S) == 444
        with pytest.raises(Conflict):
            correct("r1", dry_run=False)
        with pytest.raises(NotFound):
            correct("r3", dry_run=False)
        assert it.books.spent_micros(ACME, NOVEMBER_S) == 444


def test_what_a_service_costs_now(tmp_path: Path) -> None:
    """For the routing table: by its name or its model's, from when a price holds; nothing where none does."""
    service = a_service("chat")
    with scene(tmp_path) as it:
        dear = TokenPrice(output_micros=7)
        it.set_price("chat", dear, from_s=NOVEMBER_S + 100)
        assert it.books.price_of(service) == PRICE
        assert [each.pattern for each in it.books.prices()] == ["*", "chat"]
        it.clock.wall_shift_s += 100
        assert it.books.price_of(service) == it.again().price_of(service) == dear
        asyncio.run(it.books.drop_price("chat", who="admin", dry_run=True))
        assert it.books.price_of(service) == dear
        for pattern in ("chat", "*"):
            asyncio.run(it.books.drop_price(pattern, who="admin", dry_run=False))
        assert it.books.price_of(service) == it.again().price_of(service) == FREE
        assert it.books.prices() == ()


def test_a_price_is_for_what_begins_after_it(tmp_path: Path) -> None:
    """A record that is told late is charged by what held when it began."""
    with scene(tmp_path) as it:
        it.clock.wall_shift_s += 20 * 86400
        it.set_price("*", TokenPrice(output_micros=5_000_000))
        it.take("late", began_s=NOVEMBER_S + 5)
        it.take("new", began_s=NOVEMBER_S + 20 * 86400)
        charges = {name: asyncio.run(it.books.record(name))[0].micros for name in ("late", "new")}
        assert charges == {"late": 444, "new": 1000}


def test_another_currency_is_refused(tmp_path: Path) -> None:
    """With both named; the books stay as they are."""
    with scene(tmp_path) as it, pytest.raises(BadInput, match=r"currency is USD, .* money in CNY"):
        Bookkeeper(it.store.books(), it.clock, currency="USD")


@dataclass(slots=True)
class Unsure:
    """Books that commit, and then fail to say so: a server whose answer is lost."""

    real: SqlBooks
    fails: bool = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def take(self, charges: Sequence[Charge]) -> tuple[Charge, ...]:
        """Keep them, and fail."""
        kept = self.real.take(charges)
        if self.fails:
            raise StoreError("the server is gone")
        return kept


def test_a_commit_whose_answer_is_lost_is_counted_once(tmp_path: Path) -> None:
    """The batch fails, so it is told again; what was spent is right before and after that."""
    with closing(ready_store(tmp_path)) as store:
        books = Unsure(store.books())
        keeper = Bookkeeper(books, clock_at(NOVEMBER_S), currency="CNY")  # type: ignore[arg-type]
        asyncio.run(keeper.set_price("*", PRICE, from_s=None, who="admin", dry_run=False))
        books.fails = True
        with pytest.raises(StoreError):
            asyncio.run(keeper.take([a_record()]))
        assert keeper.spent_micros(ACME, NOVEMBER_S) == 444
        books.fails = False
        asyncio.run(keeper.take([a_record(), a_record("r2")]))
        assert keeper.spent_micros(ACME, NOVEMBER_S) == 888
        keeper.close()
        with pytest.raises(Unavailable, match="leaving"):
            asyncio.run(keeper.take([replace(a_record(), id="r3")]))


def test_the_loop_goes_on_while_records_are_taken(tmp_path: Path) -> None:
    """Another program holds the database: the batch waits for it, the loop does not."""
    with scene(tmp_path) as it:

        async def play() -> None:
            with it.store._writing():
                taking = asyncio.create_task(it.books.take([a_record()]))
                for _ in range(100):
                    await asyncio.sleep(0)
                assert not taking.done()
                assert it.books.spent_micros(ACME, NOVEMBER_S) == 0
            await taking
            assert it.books.spent_micros(ACME, NOVEMBER_S) == 444

        asyncio.run(play())
        assert it.books.this_month() == Month(year=2026, month=11)
