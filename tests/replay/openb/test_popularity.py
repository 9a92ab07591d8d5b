"""Typical shapes: the most popular ones that cover 95 % of the pods."""

import pytest

from alliage.replay.openb.popularity import Pod, find_typical
from tests.replay.builders import a_shape

A, B, C = a_shape(1), a_shape(1, 500), a_shape(2)


def test_the_rare_are_left_out_and_shares_sum_to_one() -> None:
    """60 + 36 of 100 pods cover 95 %: the third is not typical."""
    typical = find_typical([Pod(A)] * 60 + [Pod(B)] * 36 + [Pod(C)] * 4)
    assert [(each.shape.device_milli, each.share) for each in typical] == [(1000, 60 / 96), (500, 36 / 96)]
    assert find_typical([Pod(A)] * 60 + [Pod(B)] * 34 + [Pod(C)] * 6)[-1].shape.devices == 2


def test_exactly_95_percent_is_enough() -> None:
    """The cover is reached, not passed."""
    assert len(find_typical([Pod(A)] * 95 + [Pod(B)] * 5)) == 1


def test_memory_does_not_count() -> None:
    """Pods that differ in memory only are one typical shape, which has none."""
    typical = find_typical([Pod(a_shape(1, memory_mib=1)), Pod(a_shape(1, memory_mib=2))])
    assert [(each.shape.memory_mib, each.share) for each in typical] == [(0, 1.0)]


def test_ties_come_by_size_largest_first() -> None:
    """Equal counts: more CPU first, then more of a device, then more devices."""
    shapes = [a_shape(1, 300), a_shape(2), a_shape(1), a_shape(1, 300, cpu_milli=9000)]
    typical = find_typical(Pod(shape) for shape in shapes)
    assert [(each.shape.cpu_milli, each.shape.device_milli, each.shape.devices) for each in typical] == [
        (9000, 300, 1),
        (1000, 1000, 2),
        (1000, 1000, 1),
        (1000, 300, 1),
    ]


def test_kinds_written_in_two_ways_are_counted_apart() -> None:
    """As in the study, though both mean the same."""
    shape = a_shape(1, kinds=("A", "B"))
    typical = find_typical([Pod(shape, "A|B")] * 2 + [Pod(shape, "A|B|B")])
    assert [each.share for each in typical] == pytest.approx([2 / 3, 1 / 3])
    assert {each.shape.kinds for each in typical} == {frozenset("AB")}


def test_no_pods_have_no_typical_shapes() -> None:
    """An empty trace is no error here."""
    assert find_typical([]) == ()
