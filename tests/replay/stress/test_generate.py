"""Stress workloads: seeded, of the kind they say, and of the size they should have."""

import pytest

from alliage.errors import BadInput
from alliage.replay.openb.trace import capacity_milli, device_milli
from alliage.replay.stress.generate import KINDS, generate
from alliage.replay.stress.hosts import make_fleet
from tests.replay.builders import a_host

FLEET = make_fleet()[::4]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_workload(kind: str) -> None:
    """And another seed another one."""
    assert generate(kind, FLEET, 1) == generate(kind, FLEET, 1)
    assert generate(kind, FLEET, 1).requests != generate(kind, FLEET, 2).requests


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaves_arrived_before_and_time_goes_forward(kind: str) -> None:
    """Each request arrives once and leaves at most once, later; times never fall."""
    workload = generate(kind, FLEET, 3)
    there: set[int] = set()
    gone: set[int] = set()
    assert [event.at for event in workload.events] == sorted(event.at for event in workload.events)
    for event in workload.events:
        assert (event.request in there) == event.leaves
        assert event.request not in gone
        (gone if event.leaves else there).add(event.request)
    assert there == set(range(len(workload.requests)))
    assert bool(gone) == kind.endswith("departures") == workload.has_departures


@pytest.mark.parametrize("kind", ["gangs", "fractions", "mixed", "pins", "drift", "no-statistics"])
def test_what_stays_asks_for_130_percent(kind: str) -> None:
    """Of the devices: the last request is the one that reaches it."""
    workload = generate(kind, FLEET, 1)
    demand = [device_milli(workload.shapes[shape]) for shape in workload.requests]
    assert sum(demand[:-1]) < 1.3 * capacity_milli(workload.hosts) <= sum(demand)


def test_each_kind_is_what_it_says() -> None:
    """Gangs have several devices, fractions less than one, CPU-heavy runs out of CPU first, pins accept some kinds."""
    assert all(shape.devices > 1 for shape in generate("gangs", FLEET, 1).shapes)
    assert all(shape.devices == 1 and shape.device_milli < 1000 for shape in generate("fractions", FLEET, 1).shapes)
    heavy = generate("cpu-heavy", FLEET, 1)
    assert sum(heavy.shapes[shape].cpu_milli for shape in heavy.requests) >= 1.3 * sum(host.cpu_milli for host in FLEET)
    assert any(shape.kinds for shape in generate("pins", FLEET, 1).shapes)
    drift = generate("drift", FLEET, 1)
    sizes = [drift.shapes[shape].devices for shape in drift.requests]
    tenth = len(sizes) // 10
    gangs = [sum(size > 1 for size in part) / tenth for part in (sizes[:tenth], sizes[-tenth:])]
    assert gangs[0] < 0.35
    assert gangs[1] > 0.65


def test_statistics_are_right_wrong_or_not_there() -> None:
    """Taken from the requests, from another mix, from the beginning, or none."""
    mixed, wrong = generate("mixed", FLEET, 1), generate("wrong-statistics", FLEET, 1)
    assert {each.shape.devices for each in mixed.typical} > {0, 1}
    assert all(0 < each.shape.device_milli < 1000 for each in wrong.typical)
    assert generate("no-statistics", FLEET, 1).typical == ()
    assert sum(each.share for each in mixed.typical) == pytest.approx(1)


def test_every_shape_fits_some_empty_host() -> None:
    """A workload asks for nothing that no host could ever give."""
    for kind in KINDS:
        for shape in generate(kind, FLEET, 2).shapes:
            assert any(
                host.devices >= shape.devices
                and host.cpu_milli >= shape.cpu_milli
                and host.memory_mib >= shape.memory_mib
                and (not shape.kinds or host.kind in shape.kinds)
                for host in FLEET
            ), (kind, shape)


@pytest.mark.parametrize(("kind", "hosts"), [("rain", FLEET), ("gangs", ()), ("gangs", (a_host(0),))])
def test_what_cannot_be_is_refused(kind: str, hosts: tuple) -> None:  # type: ignore[type-arg]
    """A kind there is none of, no hosts, no devices."""
    with pytest.raises(BadInput):
        generate(kind, hosts, 1)
