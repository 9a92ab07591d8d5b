"""The protocol and the curve, by hand."""

import pytest

from alliage.decide.packing.shapes import Placed
from alliage.replay.baselines.best_fit import BestFit
from alliage.replay.openb.popularity import Pod
from alliage.replay.openb.protocol import draw_curve, mean_curve, replay
from alliage.replay.openb.trace import Order, make_trace
from tests.replay.builders import a_host, a_shape

TRACE = make_trace((a_host(4, cpu_milli=2000),), (Pod(a_shape(1)), Pod(a_shape(2)), Pod(a_shape(0))))


def test_a_pod_that_does_not_fit_is_dropped_and_the_next_one_is_tried() -> None:
    """4 devices, CPU for two pods: the first two are placed, the third and fourth are not; then 150 % have arrived."""
    run = replay(TRACE, Order(seed=3, pods=(0, 1, 1, 0)), BestFit(TRACE.hosts, TRACE.shapes, ()))
    assert (run.seed, run.refused, run.decisions) == (3, 2, 4)
    curve = run.curve
    assert [curve[at] for at in (25, 75, 125, 150)] == [25.0, 75.0, 75.0, 75.0]
    assert len(curve) == 151


def test_a_percent_at_which_nothing_arrived_has_what_came_before() -> None:
    """Nothing is known before the first arrival."""
    curve = draw_curve(TRACE, (0, 1), (Placed(0, 0, (0,)), None))
    assert curve[24] is None
    assert (curve[25], curve[74], curve[75]) == (25.0, 25.0, 25.0)


def test_arrivals_in_one_percent_are_averaged_and_halves_round_up() -> None:
    """CPU-only pods arrive at the same percent: one before the device (0), one after it (25 in two of three)."""
    trace = make_trace((a_host(200, cpu_milli=10**6),), (Pod(a_shape(1)), Pod(a_shape(0))))
    placed = [None, Placed(0, 0, (0,)), None]
    assert draw_curve(trace, (1, 0, 1), placed) == (0.0, 0.5)


def test_a_packer_that_gives_what_is_not_there_is_found_out() -> None:
    """The same device twice."""
    with pytest.raises(ValueError, match="thousandths"):
        draw_curve(TRACE, (0, 0), (Placed(0, 0, (0,)), Placed(0, 0, (0,))))


def test_no_devices_and_no_arrivals() -> None:
    """Nothing to divide by is no error."""
    bare = make_trace((a_host(0),), (Pod(a_shape(0)),))
    run = replay(bare, Order(seed=1, pods=(0,)), BestFit(bare.hosts, bare.shapes, ()))
    assert run.curve == (0.0,)
    assert replay(bare, Order(seed=1, pods=()), BestFit(bare.hosts, bare.shapes, ())).curve == ()


def test_the_mean_reaches_as_far_as_every_run() -> None:
    """Runs that end at different percents."""
    order, packers = Order(seed=1, pods=(0, 1)), [BestFit(TRACE.hosts, TRACE.shapes, ()) for _ in range(2)]
    long, short = replay(TRACE, order, packers[0]), replay(TRACE, Order(seed=2, pods=(1,)), packers[1])
    mean = mean_curve((long, short))
    assert len(mean) == 51
    assert mean[50] == (25.0 + 50.0) / 2
    assert mean_curve(()) == ()
