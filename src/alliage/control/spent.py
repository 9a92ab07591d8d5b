"""What each scope spent since a day's or month's beginning: kept in memory beside the store, for whoever leases."""

import threading
from collections.abc import Mapping

from alliage.control.books import Books
from alliage.control.ports import Clock
from alliage.control.used import Used
from alliage.fleet.limits import Scope
from alliage.ledger.periods import day_of, month_of


class Spent:
    """Running sums of the present month. Written by the one thread that writes the books, read by the loop's."""

    def __init__(self, books: Books, clock: Clock) -> None:
        """Reads the month's sums; raises StoreError."""
        self._books = books
        self._clock = clock
        self._guard = threading.Lock()
        self._from_day = 0
        self._spent: dict[Scope, dict[int, int]] | None = None
        self.restore()

    def spent_micros(self, scope: Scope, since_s: float) -> int:
        """Of requests that began on the UTC day of `since_s` or later, with corrections of theirs.

        From memory for times in the present month; others are read from the store, and all are after a write of which it
        is not known whether it was done. Raises StoreError where the store is needed and cannot be used.
        """
        since_day = day_of(since_s)
        with self._guard:
            if self._spent is not None and since_day >= self._from_day:
                return sum(micros for day, micros in self._spent.get(scope, {}).items() if day >= since_day)
        return sum(self._books.spent(since_day, scope).values())

    def used(self) -> Mapping[Scope, Used]:
        """Of each scope that spent something this month; nothing where that has to be read from the store first."""
        today = day_of(self._clock.now_s())
        with self._guard:
            days_of = {} if self._spent is None else {scope: dict(days) for scope, days in self._spent.items()}
        return {
            scope: Used(day_micros=days.get(today, 0), month_micros=sum(days.values()))
            for scope, days in days_of.items()
        }

    def add(self, spent: Mapping[tuple[Scope, int], int]) -> None:
        """What the store has added to its own sums."""
        with self._guard:
            if self._spent is None:
                return
            self._leave_past_months()
            for (scope, day), micros in spent.items():
                if day >= self._from_day:
                    days = self._spent.setdefault(scope, {})
                    days[day] = days.get(day, 0) + micros

    def forget(self) -> None:
        """It is not known what the store did last."""
        with self._guard:
            self._spent = None

    def restore(self) -> None:
        """Read the sums again where they were forgotten; by the thread that writes, so that nothing comes between."""
        if self._spent is not None:
            return
        from_day = self._first_day()
        loaded: dict[Scope, dict[int, int]] = {}
        for (scope, day), micros in self._books.spent(from_day).items():
            loaded.setdefault(scope, {})[day] = micros
        with self._guard:
            self._from_day, self._spent = from_day, loaded

    def _leave_past_months(self) -> None:
        first = self._first_day()
        if self._spent is None or first <= self._from_day:
            return
        self._from_day = first
        kept = (
            (scope, {day: sum_ for day, sum_ in days.items() if day >= first}) for scope, days in self._spent.items()
        )
        self._spent = {scope: days for scope, days in kept if days}

    def _first_day(self) -> int:
        return day_of(month_of(self._clock.now_s()).begins_s)
