"""Control's side of leases: who is there, what each may still obey, and the new leases when `control.leasing` deals others."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from alliage.control.leasing import Dealt, Party, deal, heard
from alliage.control.minute import Minute
from alliage.control.ports import Spent
from alliage.control.spending import Left, Window, left_of, told_since, window_after
from alliage.control.used import Used
from alliage.errors import LinkError, StoreError
from alliage.fleet.limits import Lease, Limits, Scope, Use, service_scope
from alliage.fleet.routing import RoutingTable
from alliage.ledger.periods import day_begins_s, month_of
from alliage.link.line import AnsweredLine
from alliage.link.messages import NewLeases

_log = structlog.get_logger(__name__)
EVERY_S: Final = 1.0
"""Demand moves leases at most so often; who comes and goes, another table and what was waited for move them at once."""
_REMEMBERED_MAX: Final = 256
"""Gateways that left: what each had told last, in case that it comes back."""


class Leases:
    """The leases of all gateways that are there. `now_s` is the wall clock, by which days and months begin."""

    def __init__(
        self,
        spent: Spent,
        *,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spent = spent
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._limits: Mapping[Scope, Limits] = {}
        self._slots: Mapping[Scope, Limits] = {}
        self._lines: dict[str, AnsweredLine] = {}
        self._parties: dict[str, Party] = {}
        self._numbers: dict[str, list[int]] = {}
        """Of each gateway's `open` leases."""
        self._number = 0
        self._new: set[str] = set()
        """Gateways that have not told yet what they used: what they used before is in the ledger, or on its way there."""
        self._gone: dict[str, Mapping[Scope, Use]] = {}
        self._told: dict[Scope, int] = {}
        """Micros that gateways told since the last look at the windows."""
        self._days: dict[Scope, Window] = {}
        self._months: dict[Scope, Window] = {}
        self._minute = Minute()
        self._dealt_s = 0.0
        self._is_short = False

    def limit(self, table: RoutingTable) -> None:
        """The limits of this table hold; whoever is to obey other leases by it is told."""
        self._limits = table.limits
        self._minute.keep(table.limits.keys())
        self._slots = {
            service_scope(route.service): Limits(parallel=sum(max(1, each.concurrency) for each in route.upstreams))
            for route in table.routes.values()
            if route.upstreams
        }
        self._deal()

    def join(self, door: str, line: AnsweredLine) -> None:
        """A gateway is there, and obeys nothing yet that is known of."""
        self._lines[door] = line
        self._parties[door] = Party(heard_s=self._monotonic_s())
        self._new.add(door)
        self._numbers[door] = []
        self._deal()

    def used(self) -> Mapping[Scope, Used]:
        """Of each scope with limits, by what gateways told last: requests in work, and what was used in the last minute.

        Nothing while no gateway has told anything.
        """
        uses = [party.use for door, party in self._parties.items() if door not in self._new]
        return {scope: self._used(scope, uses) for scope in self._limits} if uses else {}

    def _used(self, scope: Scope, uses: Sequence[Mapping[Scope, Use]]) -> Used:
        lately = self._minute.of(scope, self._monotonic_s())
        return Used(
            requests_last_minute=lately.requests,
            tokens_last_minute=lately.tokens,
            parallel=sum(use[scope].parallel for use in uses if scope in use),
        )

    def leave(self, door: str) -> None:
        """It is out of sight: others get what it had."""
        party = self._parties.pop(door, None)
        self._lines.pop(door, None)
        self._numbers.pop(door, None)
        if party is not None and door in self._new:
            self._new.remove(door)
            self._deal()
        elif party is not None:
            self._gone[door] = party.use
            while len(self._gone) > _REMEMBERED_MAX:
                del self._gone[next(iter(self._gone))]
            self._deal()

    def hear(self, door: str, use: Mapping[Scope, Use] | None, number: int) -> None:
        """It told what it used, and the number of the leases that it obeys."""
        party = self._parties.get(door)
        if party is None:
            return
        numbers, obeys = self._numbers[door], False
        if number in numbers:
            place = numbers.index(number)
            obeys = place > 0
            self._numbers[door] = numbers[place:]
            party = replace(party, open=party.open[place:])
        if use is not None:
            self._add(door, party.use, use)
            party = heard(party, use, self._monotonic_s())
        self._parties[door] = party
        if (obeys and self._is_short) or self._monotonic_s() - self._dealt_s >= EVERY_S:
            self._deal()

    def _add(self, door: str, before: Mapping[Scope, Use], use: Mapping[Scope, Use]) -> None:
        """What it used since its last report, even if it was away in between."""
        if door in self._new:
            self._new.remove(door)
            known = self._gone.pop(door, None)
            if known is None:
                return
            before = known
        self._minute.add(before, use, self._monotonic_s())
        for scope, micros in told_since(before, use).items():
            self._told[scope] = self._told.get(scope, 0) + micros

    def _deal(self) -> None:
        """Deal anew, and tell those whose leases are others than before."""
        self._dealt_s = self._monotonic_s()
        limits = self._limits if len(self._parties) < 2 else {**self._limits, **self._slots}
        dealt: Dealt = deal(limits, self._left(), self._parties)
        self._is_short = dealt.is_short
        for door, leases in dealt.leases.items():
            if leases != self._parties[door].sent:
                self._send(door, leases)

    def _send(self, door: str, leases: Mapping[Scope, Lease]) -> None:
        self._number += 1
        party = self._parties[door]
        self._parties[door] = replace(party, sent=leases, open=(*party.open, leases))
        self._numbers[door].append(self._number)
        try:
            self._lines[door].send(NewLeases(leases=leases, number=self._number))
        except LinkError as error:
            _log.warning("leases were not sent", door=door, error=str(error))

    def _left(self) -> dict[Scope, Left]:
        """Of money, by the ledger and by what gateways told."""
        now_s, told = self._now_s(), self._told
        self._told = {}
        left: dict[Scope, Left] = {}
        days: dict[Scope, Window] = {}
        months: dict[Scope, Window] = {}
        for scope, limits in self._limits.items():
            if limits.day_micros is None and limits.month_micros is None:
                continue
            more = told.get(scope, 0)
            days[scope] = self._window(self._days.get(scope), scope, day_begins_s(now_s), more)
            months[scope] = self._window(self._months.get(scope), scope, month_of(now_s).begins_s, more)
            found = left_of(limits, days[scope], months[scope], now_s)
            if found is not None:
                left[scope] = found
        self._days, self._months = days, months
        return left

    def _window(self, old: Window | None, scope: Scope, since_s: float, told_micros: int) -> Window:
        try:
            booked = self._spent.spent_micros(scope, since_s)
        except StoreError as error:  # then what it said last, and what gateways told since, is what is known
            _log.warning("what was spent cannot be looked up", scope=scope, error=str(error))
            booked = 0 if old is None or old.since_s != since_s else old.booked_micros
        return window_after(old, since_s=since_s, booked_micros=booked, told_micros=told_micros)
