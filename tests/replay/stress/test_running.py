"""The runner's figures, by hand and on generated workloads."""

import pytest

from alliage.replay.baselines.best_fit import BestFit
from alliage.replay.policies import POLICIES
from alliage.replay.stress.generate import generate
from alliage.replay.stress.hosts import make_fleet
from alliage.replay.stress.running import run
from alliage.replay.stress.workload import Event, Workload
from tests.replay.builders import a_host, a_shape


def _workload(*events: Event, requests: tuple[int, ...]) -> Workload:
    shapes = (a_shape(1), a_shape(2))
    return Workload(
        kind="hand", seed=1, hosts=(a_host(2),), shapes=shapes, requests=requests, events=events, typical=()
    )


def test_what_stays_counts_at_the_end() -> None:
    """Two devices: one request of one is placed, one of two is not; 3 devices were asked for."""
    workload = _workload(Event(0, 0, leaves=False), Event(0.5, 1, leaves=False), requests=(0, 1))
    done = run(workload, BestFit(workload.hosts, workload.shapes, ()))
    assert (done.allocated, done.allocated_at_full, done.requests) == (50.0, 50.0, 2)
    assert done.refused == pytest.approx(200 / 3)


def test_what_leaves_counts_over_time() -> None:
    """From time 3: half is held for one lifetime, nothing for one, all for two."""
    events = (
        Event(3, 0, leaves=False),
        Event(4, 0, leaves=True),
        Event(5, 1, leaves=False),
        Event(7, 1, leaves=True),
    )
    workload = _workload(*events, requests=(0, 1))
    done = run(workload, BestFit(workload.hosts, workload.shapes, ()))
    assert done.allocated == pytest.approx((50 + 0 + 200) / 4)
    assert (done.allocated_at_full, done.refused) == (None, 0.0)


def test_one_that_was_refused_does_not_leave() -> None:
    """Nothing is given back twice."""
    events = (
        Event(0, 0, leaves=False),
        Event(1, 1, leaves=False),
        Event(2, 1, leaves=True),
        Event(4, 0, leaves=True),
    )
    workload = _workload(*events, requests=(1, 0))
    done = run(workload, BestFit(workload.hosts, workload.shapes, ()))
    assert done.refused == pytest.approx(100 / 3)


@pytest.mark.parametrize("kind", ["pins", "drift-departures"])
def test_the_same_seed_gives_the_same_figures(kind: str) -> None:
    """Also for the one that draws lots."""
    workload = generate(kind, make_fleet()[::4], 1)
    for name in ("fgd", "random"):
        make = POLICIES[name].make
        packers = [make(workload.hosts, workload.shapes, workload.typical, 1) for _ in range(2)]
        assert run(workload, packers[0]) == run(workload, packers[1])
