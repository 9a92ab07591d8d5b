"""The bookkeeper: what gateways and faces may ask of the ledger. It waits for the store in threads, never in the loop."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from alliage.control.books import Asked, Books
from alliage.control.ports import Clock
from alliage.control.spent import Spent
from alliage.control.used import Used
from alliage.errors import BadInput, StoreError, Unavailable
from alliage.fleet.limits import Scope
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.services import Service
from alliage.fleet.usage import UsageRecord
from alliage.ledger.charging import Charge, Priced, Pricing, charged, scopes_of, spending
from alliage.ledger.correcting import Correction, counter_entry
from alliage.ledger.device_hours import ListedDevice, device_dropped, device_listed
from alliage.ledger.listing import in_force, now_and_coming
from alliage.ledger.periods import Month, month_of
from alliage.ledger.pricing import ListedPrice, dropped, listed
from alliage.ledger.scarcity import Factor, Factors, factors_of
from alliage.ledger.statements import Bill, By, Usage

Result = TypeVar("Result")


class Bookkeeper:
    """Keeps the books of one currency. One thread writes, one thing after the other; reads go on beside it."""

    def __init__(self, books: Books, clock: Clock, *, currency: str) -> None:
        """Raises BadInput where the books are in another currency already, StoreError."""
        kept = books.use_currency(currency)
        if kept != currency:
            raise BadInput(
                f"[ledger] currency is {currency}, but this ledger has prices or money in {kept}",
                remedy=f'set it to "{kept}" again; another currency needs another database',
            )
        self.currency = currency
        self._spent = Spent(books, clock)
        self._books = books
        self._clock = clock
        self._pricing = Pricing(books.prices(), factors_of(books.factors()))
        self._devices = books.devices()
        self._is_unsure = False
        self._is_closed = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="books")

    async def take(self, records: Sequence[UsageRecord]) -> None:
        """Charge the records and keep them: when it returns they are in the ledger, each once however often it is told."""
        await self._written(lambda: self._take(records))

    def price_of(self, service: Service) -> TokenPrice:
        """What its tokens cost from now on; nothing where no price is listed."""
        found = self.priced(service)
        return FREE if found is None else found.price

    def priced(self, service: Service) -> Priced | None:
        """The same with how it comes about; None where no price is listed."""
        return self._pricing.priced(service=service.name, model=service.model.id, at_s=self._clock.now_s())

    def factors(self) -> Factors:
        """All factors for scarcity there have been."""
        return self._pricing.factors

    def post_factors(self, entries: Sequence[Factor]) -> "Future[None]":
        """Add factors for scarcity, beside the loop: they hold once the store has them, all or none."""
        return self._writer.submit(self._post, tuple(entries))

    def device_prices(self) -> Mapping[str, int]:
        """By chip, the micros of a device-hour that are listed now."""
        now = in_force(self._devices, self._clock.now_s())
        return {chip: each.micros_per_hour for chip, each in now.items() if each.micros_per_hour is not None}

    def spent_micros(self, scope: Scope, since_s: float) -> int:
        """As `Spent.spent_micros`."""
        return self._spent.spent_micros(scope, since_s)

    def used(self) -> Mapping[Scope, Used]:
        """Money of this day and month, by scope."""
        return self._spent.used()

    def this_month(self) -> Month:
        """The month that it is now, UTC."""
        return month_of(self._clock.now_s())

    def now_s(self) -> float:
        """The time by which prices hold."""
        return self._clock.now_s()

    async def usage(self, *, tenant: str, month: Month, by: By, recount: bool = False) -> Usage:
        """A month of one tenant, or ("") of all; with `recount` of the single records, not of the running sums."""
        asked = Asked(tenant=tenant, from_s=month.begins_s, until_s=month.ends_s)
        lines = await asyncio.to_thread(lambda: self._books.lines(asked, by, recount=recount))
        return Usage(tenant=tenant, month=month, by=by, currency=self.currency, lines=lines)

    async def bill(self, *, tenant: str, month: Month) -> Bill:
        """What a tenant owes for a month."""
        asked = Asked(tenant=tenant, from_s=month.begins_s, until_s=month.ends_s)
        lines, corrections = await asyncio.to_thread(self._books.bill, asked)
        return Bill(tenant=tenant, month=month, currency=self.currency, lines=lines, corrections=corrections)

    async def records(self, asked: Asked, *, limit: int, before: str) -> tuple[Charge, ...]:
        """Single records, the newest first; only those older than the record `before`, where one is named."""
        return await asyncio.to_thread(lambda: self._books.charges(asked, limit=limit, before=before))

    async def record(self, record: str) -> tuple[Charge, tuple[Correction, ...]]:
        """One record with its corrections; raises NotFound."""
        return await asyncio.to_thread(self._books.charge, record)

    async def correct(self, record: str, *, to_micros: int, reason: str, who: str, dry_run: bool) -> Correction:
        """Add the counter-entry after which the record costs `to_micros`; raises NotFound, BadInput, Conflict."""

        def decide(charge: Charge, before: Sequence[Correction]) -> Correction:
            return counter_entry(charge, before, to_micros=to_micros, reason=reason, who=who, now_s=self._clock.now_s())

        return await self._written(lambda: self._correct(record, decide, dry_run=dry_run))

    def prices(self) -> tuple[ListedPrice, ...]:
        """What is listed now, by pattern; then what is set to come, the next first."""
        return now_and_coming(self._pricing.prices, self._clock.now_s())

    def devices(self) -> tuple[ListedDevice, ...]:
        """Prices of device-hours that are listed now, by chip; then what is set to come, the next first."""
        return now_and_coming(self._devices, self._clock.now_s())

    async def set_price(
        self,
        pattern: str,
        price: TokenPrice,
        *,
        from_s: float | None,
        who: str,
        dry_run: bool,
        scarcity_max_ppm: int | None = None,
    ) -> ListedPrice:
        """List a price from now on, or from a later time; raises BadInput."""

        def write() -> ListedPrice:
            now_s = self._clock.now_s()
            entry = listed(pattern, price, from_s=from_s, who=who, now_s=now_s, scarcity_max_ppm=scarcity_max_ppm)
            if not dry_run:
                self._list((entry,))
            return entry

        return await self._written(write)

    async def drop_price(self, pattern: str, *, who: str, dry_run: bool) -> ListedPrice:
        """End what is listed for a pattern, now and to come: the entry that ends it. Raises NotFound."""

        def write() -> ListedPrice:
            entries = dropped(pattern, self._pricing.prices, who=who, now_s=self._clock.now_s())
            if not dry_run:
                self._list(entries)
            return entries[0]

        return await self._written(write)

    async def set_device(
        self, chip: str, micros_per_hour: int, *, from_s: float | None, who: str, dry_run: bool
    ) -> ListedDevice:
        """List what a device-hour of a chip costs from now on, or from a later time; raises BadInput."""

        def write() -> ListedDevice:
            entry = device_listed(chip, micros_per_hour, from_s=from_s, who=who, now_s=self._clock.now_s())
            if not dry_run:
                self._list_devices((entry,))
            return entry

        return await self._written(write)

    async def drop_device(self, chip: str, *, who: str, dry_run: bool) -> ListedDevice:
        """End what is listed for a chip, now and to come: the entry that ends it. Raises NotFound."""

        def write() -> ListedDevice:
            entries = device_dropped(chip, self._devices, who=who, now_s=self._clock.now_s())
            if not dry_run:
                self._list_devices(entries)
            return entries[0]

        return await self._written(write)

    def close(self) -> None:
        """Wait for what is being written. The store is closed after it."""
        self._is_closed = True
        self._writer.shutdown()

    def _take(self, records: Sequence[UsageRecord]) -> None:
        self._read_lists_again()
        charges = [charged(record, self._pricing) for record in records]
        self._spent.restore()
        with self._spends():
            new = self._books.take(charges)
        self._spent.add(spending(new))

    def _correct(
        self, record: str, decide: Callable[[Charge, Sequence[Correction]], Correction], *, dry_run: bool
    ) -> Correction:
        self._spent.restore()
        with self._spends():
            charge, made = self._books.correct(record, decide, dry_run=dry_run)
        if not dry_run:
            self._spent.add({(scope, charge.day): made.micros for scope in scopes_of(charge.record)})
        return made

    @contextmanager
    def _spends(self) -> Iterator[None]:
        """A write that the store fails may have been done all the same."""
        try:
            yield
        except StoreError:
            self._spent.forget()
            raise

    @contextmanager
    def _lists(self) -> Iterator[None]:
        """The same for what is listed: before anything is charged it is read again, so that both are by one list."""
        self._read_lists_again()
        try:
            yield
        except StoreError:
            self._is_unsure = True
            raise

    def _read_lists_again(self) -> None:
        if self._is_unsure:
            self._pricing = Pricing(self._books.prices(), factors_of(self._books.factors()))
            self._devices = self._books.devices()
            self._is_unsure = False

    def _list(self, entries: tuple[ListedPrice, ...]) -> None:
        with self._lists():
            self._books.list_prices(entries)
        self._pricing = Pricing((*self._pricing.prices, *entries), self._pricing.factors)

    def _list_devices(self, entries: tuple[ListedDevice, ...]) -> None:
        with self._lists():
            self._books.list_devices(entries)
        self._devices = (*self._devices, *entries)

    def _post(self, entries: tuple[Factor, ...]) -> None:
        with self._lists():
            self._books.post_factors(entries)
        self._pricing = Pricing(self._pricing.prices, self._pricing.factors.with_more(entries))

    async def _written(self, write: Callable[[], Result]) -> Result:
        if self._is_closed:
            raise Unavailable("control is leaving, its books are closed", remedy="ask again")
        return await asyncio.get_running_loop().run_in_executor(self._writer, write)
