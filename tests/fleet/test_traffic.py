"""Sums of which a reader takes differences."""

from alliage.fleet.traffic import ReplicaTraffic, Traffic


def test_what_was_added_is_the_difference_and_what_is_now_stays() -> None:
    """Each sum is subtracted; requests held and in flight are those of the later record."""
    before = Traffic(began_s=5.0, asked=10, answered=8, ttft_s=2.5, held=3, in_flight=2)
    after = Traffic(began_s=5.0, asked=14, answered=9, ttft_s=4.0, held=1, in_flight=4)
    assert after.since(before) == Traffic(began_s=5.0, asked=4, answered=1, ttft_s=1.5, held=1, in_flight=4)
    one, two = ReplicaTraffic(began_s=5.0, busy_s=1.0, in_flight=1), ReplicaTraffic(began_s=5.0, busy_s=4.0)
    assert two.since(one) == ReplicaTraffic(began_s=5.0, busy_s=3.0)


def test_sums_that_began_again_are_all_new() -> None:
    """A new gateway process of the same name, or the first record ever: nothing is subtracted."""
    before, after = Traffic(began_s=5.0, asked=10), Traffic(began_s=6.0, asked=4)
    assert after.since(before) == after.since(None) == after
