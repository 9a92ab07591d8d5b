"""What was used in the last minute: of all gateways together, no older than its steps allow."""

from alliage.control.minute import MINUTE_S, STEP_S, Lately, Minute
from alliage.fleet.limits import Scope, Use

_T, _K = Scope("tenant:t"), Scope("key:k")


def test_what_gateways_told_is_added_and_leaves_after_a_minute() -> None:
    """Growth of two gateways' sums; each of it counts for a minute, and for one step more at most."""
    minute = Minute()
    minute.add({}, {_T: Use(requests=2, tokens=10), _K: Use(requests=1)}, 100.2)
    minute.add({_T: Use(requests=7)}, {_T: Use(requests=8, tokens=5)}, 100.9)
    minute.add({_T: Use(requests=2, tokens=10)}, {_T: Use(requests=2, tokens=40)}, 130.0)
    assert minute.of(_T, 130.0) == Lately(requests=3, tokens=45)
    assert minute.of(_K, 130.0) == Lately(requests=1)
    assert minute.of(_T, 100.2 + MINUTE_S) == Lately(requests=3, tokens=45)
    assert minute.of(_T, 100.9 + MINUTE_S + STEP_S) == Lately(tokens=30)
    assert minute.of(_T, 130.0 + MINUTE_S + STEP_S) == Lately()
    assert minute.of(Scope("tenant:nobody"), 0.0) == Lately()


def test_sums_that_shrank_began_anew() -> None:
    """As those of a scope whose limits were lifted and set again."""
    minute = Minute()
    minute.add({_T: Use(requests=50, tokens=900)}, {_T: Use(requests=3, tokens=1000)}, 1.0)
    assert minute.of(_T, 1.0) == Lately(requests=3, tokens=1000)


def test_what_is_kept_is_bounded() -> None:
    """A step for each second of the minute, however often it is told; scopes that have no limits any more are forgotten."""
    minute = Minute()
    for number in range(1000):
        minute.add({_T: Use(requests=number)}, {_T: Use(requests=number + 1)}, number / 4)
    assert len(minute._steps[_T]) <= MINUTE_S / STEP_S + 1
    assert minute.of(_T, 249.75).requests == 4 * (MINUTE_S / STEP_S + 1)
    minute.keep({_K})
    assert minute.of(_T, 249.75) == Lately()
