"""Prices under scarcity as control posts and withdraws them: the real plan, loop and ledger over a simulated fleet."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from alliage.control.bookkeeping import Bookkeeper
from alliage.control.loop import LoopSettings
from alliage.control.scarcity import due_factors
from alliage.decide.solve.answer import Infeasible, Plan
from alliage.errors import StoreError
from alliage.fleet.ids import ServiceName
from alliage.fleet.prices import TokenPrice
from alliage.ledger.periods import month_of
from alliage.ledger.scarcity import LIST_PPM, POSTED_EVERY_S, Factor, bounded, scaled
from alliage.store.sql import SqlStore
from tests.control.world import World, an_order
from tests.faces.mixed import a_mixed_world
from tests.ledger.builders import PRICE, a_record
from tests.store.ready import ready_store

CHAT = ServiceName("chat")
H20 = "nvidia-h20"


@dataclass(slots=True)
class Scene:
    """A fleet on which `chat` lacks devices, and its ledger."""

    world: World
    store: SqlStore
    books: Bookkeeper

    def set_price(self, pattern: str = "*", *, most: float | None = 1.5, price: TokenPrice = PRICE) -> None:
        """List a price that scarcity may make so many times as much."""
        max_ppm = None if most is None else round(most * LIST_PPM)
        listing = self.books.set_price(
            pattern, price, from_s=None, who="admin", dry_run=False, scarcity_max_ppm=max_ppm
        )
        asyncio.run(listing)

    def run(self, seconds: float) -> None:
        """Passes, with what they post written between two of them."""
        for _ in range(round(seconds)):
            self.world.run(1.0, 1.0)
            asyncio.run(self.books.take([]))

    def pass_time(self, seconds: float) -> None:
        """Without passes."""
        self.world.clock.t_s += seconds

    def ask(self, rate_rps: float) -> None:
        """Tell of another rate of `chat`."""
        order = replace(an_order("qwen3-32b", name="chat", ttft_s=1.0), tpot_s=0.04, rate_rps=rate_rps)
        asyncio.run(self.world.desk.deploy(order))

    def let_go(self) -> None:
        """`chat` is asked for less, and control has begun long enough ago to believe it."""
        self.pass_time(LoopSettings().hold_s + 1)
        self.run(2)
        self.ask(1.0)
        self.run(5)

    def restart(self) -> None:
        """Control is killed and begins anew over the same store."""
        self.books.close()
        self.books = self.world.books = Bookkeeper(self.store.books(), self.world.clock, currency="CNY")
        self.world.restart_control()

    @property
    def factor(self) -> int:
        """Of `chat`, posted and in force now."""
        found = self.books.factors().at("chat", self.world.clock.now_s())
        return LIST_PPM if found is None else found.factor_ppm

    @property
    def entries(self) -> tuple[Factor, ...]:
        """All that the store has."""
        return self.store.books().factors()

    @property
    def price_at_doors(self) -> TokenPrice:
        """By which gateways hold limits of money."""
        assert self.world.doors.table is not None
        return self.world.doors.table.routes[CHAT].price


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """The mixed fleet, all of whose H20 `chat` has and would have more of."""
    with closing(ready_store(folder)) as store:
        world, _ = a_mixed_world()
        made = Scene(world, store, Bookkeeper(store.books(), world.clock, currency="CNY"))
        world.books = made.books
        world.restart_control()
        try:
            yield made
        finally:
            made.books.close()


def test_a_scarce_service_costs_more_until_it_is_not(tmp_path: Path) -> None:
    """Posted once while it is scarce, at the gateways as in the ledger, and on the bill; then the list price holds again."""
    with scene(tmp_path) as it:
        it.set_price()
        it.pass_time(1)
        it.run(3)
        (posted,) = it.entries
        assert (posted.service, posted.factor_ppm) == ("chat", 1_500_000), "bounded by the most"
        (because,) = [each for each in posted.because if each.chip == H20]
        assert (because.site, because.count) == ("hohhot-1", 16)
        assert because.price_micros > because.list_micros > 0
        assert it.price_at_doors == scaled(PRICE, 1_500_000)

        now_s = it.world.clock.now_s()
        records = [a_record("before", began_s=posted.from_s - 1e-3), a_record("since", began_s=posted.from_s)]
        asyncio.run(it.books.take(records))
        bill = asyncio.run(it.books.bill(tenant="acme", month=month_of(now_s)))
        assert (bill.total.charged_micros, bill.total.scarcity_micros) == (444 + 666, 222)

        it.let_go()
        assert [each.factor_ppm for each in it.entries] == [1_500_000, LIST_PPM]
        assert it.price_at_doors == PRICE
        late = a_record("late", began_s=posted.from_s + 1)
        asyncio.run(it.books.take([late]))
        assert asyncio.run(it.books.record("late"))[0].micros == 666, "by what held when it began"


def test_it_is_not_posted_again_for_ten_minutes(tmp_path: Path) -> None:
    """Scarce, not scarce, scarce again: the last of these waits; a most that an admin takes away holds at once."""
    with scene(tmp_path) as it:
        it.set_price()
        it.run(3)
        it.let_go()
        assert it.factor == LIST_PPM
        it.ask(12.0)
        it.run(30)
        assert it.factor == LIST_PPM
        it.pass_time(POSTED_EVERY_S)
        it.run(3)
        assert it.factor == 1_500_000
        it.set_price(most=None)
        assert it.books.price_of(it.world.desk.view().service(CHAT)) == PRICE
        it.run(2)
        assert it.factor == LIST_PPM
        assert len(it.entries) == 4


def test_it_outlives_control(tmp_path: Path) -> None:
    """A new control charges by what was posted, before it has made a plan, and posts nothing again."""
    with scene(tmp_path) as it:
        it.set_price()
        it.run(3)
        before = it.entries
        it.restart()
        assert it.books.price_of(it.world.desk.view().service(CHAT)) == scaled(PRICE, 1_500_000)
        it.run(15)
        assert it.entries == before


def test_without_a_most_nothing_is_posted(tmp_path: Path) -> None:
    """Scarcity is an option of a price, and off where nobody turned it on."""
    with scene(tmp_path) as it:
        it.set_price(most=None)
        it.run(3)
        assert it.entries == ()
        assert it.price_at_doors == PRICE


def test_a_service_that_is_gone_leaves_no_factor(tmp_path: Path) -> None:
    """Who is served under its name later begins with the list price."""
    with scene(tmp_path) as it:
        it.set_price()
        it.run(3)
        asyncio.run(it.world.desk.delete(CHAT))
        it.run(45)
        assert it.factor == LIST_PPM


def test_without_prices_of_the_plan_the_list_price_holds(tmp_path: Path) -> None:
    """A plan whose solve was cut short before it knew them, and none at all: what was posted is withdrawn at once."""
    with scene(tmp_path) as it:
        it.set_price()
        it.run(3)
        aims = it.world.loop.planning.aims
        assert aims is not None
        assert isinstance(aims.plan, Plan)
        view, now_s = it.world.desk.view(), it.world.clock.now_s()
        assert due_factors(view, aims, it.books, now_s) == ()
        for plan in (replace(aims.plan, prices=()), Infeasible(culprit="fleet", reason="no node takes work")):
            (entry,) = due_factors(view, replace(aims, plan=plan), it.books, now_s)
            assert (entry.service, entry.factor_ppm, entry.because) == ("chat", LIST_PPM, ())


def test_the_price_of_a_device_hour_in_the_list_is_what_plans_are_made_by(tmp_path: Path) -> None:
    """Before what settings and catalogue say; the price of tokens follows, for scarcity is a part of the same device-hour."""
    with scene(tmp_path) as it:
        it.set_price(most=100)
        it.run(3)
        before = it.factor
        dear = it.books.set_device(H20, 10**9, from_s=None, who="admin", dry_run=False)
        asyncio.run(dear)
        it.run(15)
        prices = {each.chip: each.list_micros for each in it.world.desk.top(events=0).prices}
        assert prices[H20] == 10**9
        assert it.world.loop.planning.prices[H20].basis == "price list"
        it.restart()
        assert it.books.device_prices() == {H20: 10**9}
        asyncio.run(it.books.drop_device(H20, who="admin", dry_run=False))
        assert it.books.device_prices() == {}
        assert before == bounded(before, 100 * LIST_PPM) > LIST_PPM


@dataclass(slots=True)
class Unsure:
    """Books that add a factor, and then fail to say so: a server whose answer is lost."""

    real: object
    fails: bool = True

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def post_factors(self, entries: tuple[Factor, ...]) -> None:
        """Add them, and fail."""
        self.real.post_factors(entries)  # type: ignore[attr-defined]
        if self.fails:
            raise StoreError("the server is gone")


def test_a_commit_whose_answer_is_lost_is_charged_by(tmp_path: Path) -> None:
    """It is in the store, so the next record that is taken is charged by it, as a control that began anew would."""
    with scene(tmp_path) as it:
        it.set_price()
        keeper = Bookkeeper(Unsure(it.store.books()), it.world.clock, currency="CNY")  # type: ignore[arg-type]
        now_s = it.world.clock.now_s()
        with pytest.raises(StoreError):
            keeper.post_factors([Factor(service="chat", from_s=now_s, factor_ppm=1_400_000)]).result()
        asyncio.run(keeper.take([a_record(began_s=now_s)]))
        assert asyncio.run(keeper.record("r1"))[0].micros == 622
        keeper.close()
