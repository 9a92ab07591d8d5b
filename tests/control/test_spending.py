"""Money of a day and a month: windows in UTC, two counts, what is left."""

from datetime import UTC, datetime

from alliage.control.spending import (
    Left,
    Window,
    left_of,
    told_since,
    window_after,
)
from alliage.fleet.limits import Limits, Scope, Use
from alliage.ledger.periods import day_begins_s, month_of

_NOON_S = datetime(2026, 12, 31, 12, 30, tzinfo=UTC).timestamp()
_S = Scope("key:k")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_days_and_months_are_utcs() -> None:
    """Also the last of a year."""
    assert _when(day_begins_s(_NOON_S)) == "2026-12-31T00:00:00+00:00"
    assert _when(month_of(_NOON_S).begins_s) == "2026-12-01T00:00:00+00:00"
    assert _when(month_of(_NOON_S).ends_s) == "2027-01-01T00:00:00+00:00"


def test_the_larger_count_holds() -> None:
    """What gateways told counts until the ledger has it, and is not counted twice then."""
    window = window_after(None, since_s=0.0, booked_micros=100, told_micros=0)
    window = window_after(window, since_s=0.0, booked_micros=100, told_micros=30)
    assert window.spent_micros == 130
    window = window_after(window, since_s=0.0, booked_micros=130, told_micros=0)
    assert window.spent_micros == 130
    window = window_after(window, since_s=0.0, booked_micros=150, told_micros=0)
    assert window.spent_micros == 150


def test_what_is_taken_back_is_there_again() -> None:
    """A counter-entry in the ledger."""
    window = Window(since_s=0.0, first_micros=100, booked_micros=130, told_micros=30)
    assert window_after(window, since_s=0.0, booked_micros=80, told_micros=0).spent_micros == 80


def test_a_new_day_begins_with_the_ledgers_word() -> None:
    """And with what gateways told since the last look: it may be the old day's, and is counted rather than lost."""
    old = Window(since_s=0.0, first_micros=0, booked_micros=900, told_micros=900)
    new = window_after(old, since_s=86400.0, booked_micros=5, told_micros=2)
    assert new.spent_micros == 7


def test_the_tighter_limit_is_named() -> None:
    """With when it resets; the month where both have as little left, for it takes longer."""
    limits = Limits(day_micros=100, month_micros=1000)
    day, month = (Window(since_s=0.0, first_micros=0, booked_micros=spent) for spent in (40, 990))
    found = left_of(limits, day, month, _NOON_S)
    assert found == Left(micros=10, limit="month", resets_s=month_of(_NOON_S).ends_s)
    spent = Window(since_s=0.0, first_micros=0, booked_micros=5000)
    both = left_of(limits, spent, spent, _NOON_S)
    assert both is not None
    assert (both.micros, both.limit) == (0, "day")  # here they end at the same midnight
    assert left_of(Limits(parallel=1), day, month, _NOON_S) is None


def test_sums_that_shrink_began_anew() -> None:
    """A process of the same name that was started again counts from zero."""
    before, after = {_S: Use(micros=50)}, {_S: Use(micros=20), Scope("tenant:a"): Use(micros=7)}
    assert told_since(before, after) == {_S: 20, "tenant:a": 7}
