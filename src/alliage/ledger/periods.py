"""Days and months, which are UTC's: where each begins and ends."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from alliage.errors import BadInput

DAY_S: Final = 86400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date.max.toordinal() - _EPOCH
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Month:
    """A month of UTC."""

    year: int
    month: int

    @property
    def begins_s(self) -> int:
        """Its first second, since 1970."""
        return (date(self.year, self.month, 1).toordinal() - _EPOCH) * DAY_S

    @property
    def ends_s(self) -> int:
        """The first second that is not in it any more."""
        return self.next.begins_s

    @property
    def next(self) -> "Month":
        """The one after it."""
        return Month(year=self.year + self.month // 12, month=self.month % 12 + 1)

    def __str__(self) -> str:
        """As `2026-11`."""
        return f"{self.year:04d}-{self.month:02d}"


def parse_month(text: str) -> Month:
    """`2026-11`; raises BadInput."""
    match = _MONTH.fullmatch(text)
    if match is None or not 1970 <= int(match[1]) <= 9998 or not 1 <= int(match[2]) <= 12:
        raise BadInput(f"{text!r} is no month", remedy="write it like 2026-11")
    return Month(year=int(match[1]), month=int(match[2]))


def month_of(at_s: float) -> Month:
    """The month of a time since 1970; times before and after what a calendar holds are put to its ends."""
    day = date.fromordinal(min(max(day_of(at_s), 0), _LAST_DAY - 366) + _EPOCH)
    return Month(year=day.year, month=day.month)


def day_of(at_s: float) -> int:
    """Days since 1970 of a time since 1970."""
    return int(at_s // DAY_S)


def day_begins_s(at_s: float) -> int:
    """The first second of the day of a time, since 1970."""
    return day_of(at_s) * DAY_S


def day_text(day: int) -> str:
    """`2026-11-26` of days since 1970; the number itself where no calendar has it."""
    return date.fromordinal(day + _EPOCH).isoformat() if 0 <= day <= _LAST_DAY else str(day)


def time_text(at_s: float) -> str:
    """`2026-11-26T20:15:03Z`, whole seconds; the number itself where no calendar has it."""
    if not 0 <= day_of(at_s) <= _LAST_DAY:
        return str(at_s)
    return datetime.fromtimestamp(int(at_s), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
