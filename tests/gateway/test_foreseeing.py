"""Early rejection: waiting times, promises, and when to come again, as plain functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.gateway.foreseeing import RETRY_S_MAX, Pace, retry_s, too_late_s, wait_s


def test_waiting_is_by_the_tenants_share() -> None:
    """Nine of its own before it and half of 10 turns a second: 2 s. Nobody waits longer than for all."""
    assert wait_s(9, 0.5, 100, 10.0) == pytest.approx(2.0)
    assert wait_s(9, 0.01, 20, 10.0) == pytest.approx(2.1)
    assert wait_s(0, 1.0, 0, 10.0) == pytest.approx(0.1)
    assert wait_s(9, 0.5, 100, 0.0) == 0.0


def test_what_is_too_late() -> None:
    """By the wait and what comes after; where that alone is too long, the wait alone counts."""
    assert too_late_s(1.0, 0.5, 2.0) == 0.0
    assert too_late_s(2.0, 0.5, 2.0) == pytest.approx(0.5)
    assert too_late_s(1.0, 5.0, 2.0) == 0.0
    assert too_late_s(3.0, 5.0, 2.0) == pytest.approx(1.0)


@given(
    ahead=st.integers(0, 500),
    share=st.floats(0.01, 1.0),
    waiting=st.integers(0, 1000),
    rate=st.floats(0.01, 100.0),
    after_s=st.floats(0.0, 5.0),
    promised_s=st.floats(0.01, 10.0),
)
def test_retry_after_is_honest(  # noqa: PLR0917 - hypothesis gives them by name
    ahead: int, share: float, waiting: int, rate: float, after_s: float, promised_s: float
) -> None:
    """Who comes again after that long, to a queue that nobody joined meanwhile, is not too late any more."""
    waits_s = wait_s(ahead, share, max(waiting, ahead), rate)
    late_s = too_late_s(waits_s, after_s, promised_s)
    if 0.0 < late_s <= RETRY_S_MAX:
        assert too_late_s(max(0.0, waits_s - retry_s(late_s)), after_s, promised_s) <= 1e-9


def test_the_pace_follows_what_is_seen() -> None:
    """The first turns count beside what was expected; later only what was seen; a standstill makes it slower."""
    pace = Pace()
    pace.begins(0.0)
    assert pace.turns_per_s(0.0, 5.0) == pytest.approx(5.0)
    for turn in range(1, 200):
        pace.gave(turn * 0.5)
    assert pace.turns_per_s(99.5, 5.0) == pytest.approx(2.0, rel=0.05)
    assert pace.turns_per_s(160.0, 0.0) < 1.0


def test_time_without_a_queue_does_not_count() -> None:
    """An hour that nobody waited is no turn in an hour."""
    pace = Pace()
    pace.begins(0.0)
    for turn in range(1, 20):
        pace.gave(turn * 1.0)
    pace.begins(3600.0)
    assert pace.turns_per_s(3600.0, 0.0) == pytest.approx(1.0, rel=0.05)
