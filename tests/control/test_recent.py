"""What gateways saw lately: differences of their sums, whatever gateways and control do in between."""

import pytest

from alliage.control.observed import DoorReport
from alliage.control.recent import WINDOW_S, Recent
from alliage.fleet.ids import ServiceName
from alliage.fleet.traffic import Traffic

CHAT = ServiceName("chat")


def told(door: str = "door", *, counted_s: float, began_s: float = 0.0, **sums: int) -> DoorReport:
    """A report of a gateway with sums of one service."""
    traffic = {CHAT: Traffic(began_s=began_s, **sums)} if sums else {}
    return DoorReport(door=door, table_version=1, in_flight={}, heard_s=0.0, counted_s=counted_s, traffic=traffic)


def test_figures_are_of_the_window() -> None:
    """A minute of ten requests a second, then none: after half a window it is half, after a whole one nothing."""
    recent = Recent()
    for second in range(61):
        recent.look([told(counted_s=second, asked=10 * second, answered=9 * second, in_flight=4)])
    seen = recent.seen()[CHAT]
    assert (seen.window_s, seen.asked_rps) == (WINDOW_S, 10.0)
    assert (seen.traffic.asked, seen.traffic.answered, seen.traffic.in_flight) == (300, 270, 4)
    for second in range(61, 76):
        recent.look([told(counted_s=second, asked=600, answered=540, in_flight=0)])
    assert recent.seen()[CHAT].asked_rps == 5.0
    for second in range(76, 92):
        recent.look([told(counted_s=second, asked=600, answered=540, in_flight=0)])
    assert recent.seen()[CHAT].traffic == Traffic()


def test_what_was_counted_before_control_came_is_not_news() -> None:
    """A control that is started again hears sums of days; the first report is the mark, even where it tells no traffic yet."""
    recent = Recent()
    recent.look([told(counted_s=1000.0)])
    assert recent.seen() == {}
    recent.look([told(counted_s=1000.5, asked=1_000_000, held=3)])
    seen = recent.seen()[CHAT]
    assert (seen.window_s, seen.asked_rps, seen.traffic.asked, seen.traffic.held) == (0.0, 0.0, 0, 3)
    recent.look([told(counted_s=1002.5, asked=1_000_008)])
    assert recent.seen()[CHAT].asked_rps == 4.0


def test_gateways_add_up_and_leave_with_what_they_saw() -> None:
    """Each has its own clock; the rates are summed, and one that is gone is forgotten."""
    recent = Recent()
    for step in range(3):
        recent.look([told("a", counted_s=step, asked=step), told("b", counted_s=500.0 + step, asked=3 * step)])
    assert recent.seen()[CHAT].asked_rps == 4.0
    recent.look([told("a", counted_s=3.0, asked=3)])
    assert recent.seen()[CHAT].asked_rps == 1.0
    recent.look([])
    assert recent.seen() == {}


def test_sums_that_began_anew_count_whole() -> None:
    """A service that was forgotten and is counted again has new sums; a gateway whose clock fell is looked at anew."""
    recent = Recent()
    recent.look([told(counted_s=0.0, asked=100, began_s=1.0)])
    recent.look([told(counted_s=10.0, asked=5, began_s=9.0)])
    assert recent.seen()[CHAT].traffic.asked == 5
    recent.look([told(counted_s=3.0, asked=7, began_s=9.0)])
    assert recent.seen()[CHAT].window_s == 0.0


def test_it_keeps_no_more_than_a_window() -> None:
    """Reports that come ten times a second are kept about once a second, and old ones go."""
    recent = Recent()
    for tenth in range(5000):
        recent.look([told(counted_s=tenth / 10, asked=tenth)])
    assert len(recent._doors["door"]) < 1.5 * WINDOW_S
    assert recent.seen()[CHAT].asked_rps == pytest.approx(10.0)
