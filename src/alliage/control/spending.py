"""What a scope has spent this day and this month (UTC), and what is left of its limits of money. Pure.

The ledger's word comes late, by what is still on its way to it; what gateways tell comes at once, but is forgotten when control
ends. So the larger of two counts holds: the ledger's, and what it said when the window began or control did, plus what was told since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alliage.fleet.limits import Limits, Scope, Use
from alliage.ledger.periods import DAY_S, day_begins_s, month_of

DAY: Final = "day"
MONTH: Final = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Money of one scope since `since_s`, in micros: the ledger's word at first and now, and what gateways told since."""

    since_s: float
    first_micros: int
    booked_micros: int
    told_micros: int = 0

    @property
    def spent_micros(self) -> int:
        """The larger of both counts."""
        return max(self.booked_micros, self.first_micros + self.told_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What may still be spent, never below zero, by the limit that has least left, and when that one begins anew."""

    micros: int
    limit: str
    resets_s: float


def window_after(old: Window | None, *, since_s: float, booked_micros: int, told_micros: int) -> Window:
    """The window with what the ledger says now and what gateways told since the last look; a new one begins with the ledger's word.

    What the ledger took back (a counter-entry) counts as never spent.
    """
    if old is None or old.since_s != since_s:
        return Window(since_s=since_s, first_micros=booked_micros, booked_micros=booked_micros, told_micros=told_micros)
    taken_back = max(0, old.booked_micros - booked_micros)
    return Window(
        since_s=since_s,
        first_micros=old.first_micros - taken_back,
        booked_micros=booked_micros,
        told_micros=old.told_micros + told_micros,
    )


def left_of(limits: Limits, day: Window | None, month: Window | None, now_s: float) -> Left | None:
    """By the windows of the limits that there are; None where money is not limited."""
    found: list[Left] = []
    if limits.day_micros is not None and day is not None:
        left = max(0, limits.day_micros - day.spent_micros)
        found.append(Left(micros=left, limit=DAY, resets_s=day_begins_s(now_s) + DAY_S))
    if limits.month_micros is not None and month is not None:
        left = max(0, limits.month_micros - month.spent_micros)
        found.append(Left(micros=left, limit=MONTH, resets_s=month_of(now_s).ends_s))
    return min(found, key=lambda each: (each.micros, -each.resets_s), default=None)


def told_since(old: Mapping[Scope, Use], new: Mapping[Scope, Use]) -> dict[Scope, int]:
    """Micros that one gateway added to each scope between two reports; sums that shrank began anew."""
    grown: dict[Scope, int] = {}
    for scope, use in new.items():
        before = old[scope].micros if scope in old else 0
        grown[scope] = use.micros - before if use.micros >= before else use.micros
    return grown
