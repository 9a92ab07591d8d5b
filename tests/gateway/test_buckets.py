"""Token buckets: never over the lease, and honest about when more may come."""

from hypothesis import given
from hypothesis import strategies as st

from alliage.gateway.buckets import Bucket

_STEPS = st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.01, 50.0)), max_size=40)


@given(per_minute=st.floats(0.1, 600.0), steps=_STEPS)
def test_never_over_the_lease(per_minute: float, steps: list[tuple[float, float]]) -> None:
    """In any stretch of time at most the capacity, the rate times the seconds, and what one need went beyond the capacity."""
    bucket, now_s = Bucket(per_minute, 0.0), 0.0
    taken: list[tuple[float, float]] = []
    for wait_s, need in steps:
        now_s += wait_s
        if bucket.has(need, now_s):
            bucket.take(need)
            taken.append((now_s, need))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            seconds = taken[last][0] - taken[first][0]
            most = max(need for _, need in taken[first : last + 1])
            allowed = bucket.capacity + seconds * per_minute / 60 + max(0.0, most - bucket.capacity)
            assert sum(need for _, need in taken[first : last + 1]) <= allowed * (1 + 1e-6) + 1e-6


@given(per_minute=st.floats(0.1, 600.0), needs=st.lists(st.floats(0.01, 50.0), min_size=1, max_size=20))
def test_when_it_says_so_there_is_room(per_minute: float, needs: list[float]) -> None:
    """After the seconds of `wait_s` the need is let in, and not well before."""
    bucket, now_s = Bucket(per_minute, 0.0), 0.0
    for need in needs:
        if not bucket.has(need, now_s):
            wait_s = bucket.wait_s(need)
            assert not bucket.has(need, now_s + wait_s * 0.9)
            now_s += wait_s * (1 + 1e-6) + 1e-6
            assert bucket.has(need, now_s)
        bucket.take(need)


@given(leases=st.lists(st.floats(0.0, 600.0), min_size=1, max_size=20), seconds=st.floats(0.0, 10.0))
def test_another_lease_never_brings_a_burst(leases: list[float], seconds: float) -> None:
    """Whatever leases follow each other, no more comes in than each of them allowed for its time, after the first full bucket."""
    bucket, allowed, taken, now_s = Bucket(leases[0], 0.0), leases[0], 0.0, 0.0
    for lease in leases:
        bucket.lease(lease, now_s)
        now_s += seconds
        allowed += lease / 60 * seconds
        while bucket.capacity >= 1.0 and bucket.has(1.0, now_s):
            bucket.take(1.0)
            taken += 1.0
    assert taken <= allowed * (1 + 1e-6) + 1e-6


def test_a_clock_that_goes_back_brings_nothing() -> None:
    """Neither that nor the catching up afterwards fills it twice."""
    bucket = Bucket(60.0, 100.0)
    bucket.take(60.0)
    assert not bucket.has(1.0, 50.0)
    assert not bucket.has(1.0, 100.5)
    assert bucket.has(1.0, 101.0)


def test_what_is_given_back_does_not_overfill_it() -> None:
    """A request that took less than was expected gives the rest back, up to the capacity."""
    bucket = Bucket(10.0, 0.0)
    bucket.take(8.0)
    bucket.take(-100.0)
    assert bucket.level == 10.0


def test_nothing_fits_into_a_lease_of_nothing() -> None:
    """A share of zero lets nobody in, and says that it never will."""
    bucket = Bucket(0.0, 0.0)
    assert not bucket.has(1.0, 1e6)
    assert bucket.wait_s(1.0) == float("inf")
