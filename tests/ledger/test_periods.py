"""Days and months of UTC."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput
from alliage.ledger.periods import DAY_S, Month, day_of, day_text, month_of, parse_month, time_text
from tests.ledger.builders import DECEMBER_S, NOVEMBER_S


def test_a_month_is_from_its_first_second_to_the_next_ones() -> None:
    """Borders belong to the month that they begin; years turn over."""
    november = parse_month("2026-11")
    assert (november.begins_s, november.ends_s) == (NOVEMBER_S, DECEMBER_S)
    assert str(Month(year=2026, month=12).next) == "2027-01"
    assert str(month_of(DECEMBER_S)) == "2026-12"
    assert str(month_of(DECEMBER_S - 1e-3)) == "2026-11"


@given(st.floats(0, 2.5e11, allow_nan=False))
def test_days_and_months_are_those_of_the_calendar(at_s: float) -> None:
    """As Python's own calendar says; a day is within its month."""
    known = datetime.fromtimestamp(int(at_s), tz=UTC)
    assert day_text(day_of(at_s)) == known.date().isoformat()
    assert str(month_of(at_s)) == f"{known:%Y-%m}"
    assert month_of(at_s).begins_s <= day_of(at_s) * DAY_S < month_of(at_s).ends_s
    assert time_text(at_s).startswith(known.date().isoformat())


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-00", "1969-12", "9999-01", "2026-1", "nov", "2026-11-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    """With the value and how it is written."""
    with pytest.raises(BadInput, match=text):
        parse_month(text)


def test_times_that_no_calendar_has_are_told_as_numbers() -> None:
    """A gateway's clock may be anything; telling of it must not fail."""
    assert time_text(-5.0) == "-5.0"
    assert day_text(10**9) == str(10**9)
    assert str(month_of(1e18)) == "9998-12"
    assert str(month_of(-1e18)) == "1970-01"
