"""Demand rises with what comes, and no higher than what came lately lets expect."""

from alliage.decide.demand import AHEAD_MOST, GRID, Tide


def a_tide(rates_rps: list[int]) -> list[float]:
    """What is planned for after each second in which so many came."""
    tide, found = Tide(300.0), []
    for second, count in enumerate(rates_rps, start=1):
        tide.add(float(second), count)
        found.append(tide.rate_rps)
    return found


def test_a_burst_that_begins_at_once_is_a_step_and_no_slope() -> None:
    """From nothing to eight a second: it is planned for within twenty seconds, and never for much more."""
    planned = a_tide([0] * 100 + [8] * 100)
    assert planned[99] == 0.0
    assert planned[119] >= 6.0
    assert max(planned) <= 8 * AHEAD_MOST * GRID


def test_a_slope_is_carried_on() -> None:
    """A rate that grows by one every four seconds is planned for ahead of what comes."""
    planned = a_tide([second // 4 for second in range(200)])
    assert planned[199] > 49.0


def test_what_came_between_two_looks_that_were_far_apart_is_no_surge() -> None:
    """Control was away for half a minute: what came meanwhile came over all of it."""
    tide = Tide(300.0)
    for second in range(0, 600, 30):
        tide.add(float(second), 30 * 8 if second else 0)
    assert tide.rate_rps <= 8 * GRID
