"""What arrivals teach: that the statistics are wrong, by number or by devices wanted, and that requests leave."""

from alliage.decide.packing.learning import LOOK_FROM, Heard
from alliage.decide.packing.packing import Packing
from alliage.decide.packing.scarcity import cell_of
from alliage.decide.packing.weights import Weights
from tests.decide.packing.builders import evenly, gang, host, part


def hear(heard: Heard, *arrivals: int) -> None:
    """All of them."""
    for shape in arrivals:
        heard.hear(shape)


def test_what_was_told_and_comes_teaches_nothing() -> None:
    """Two shapes, as often as they were said to come."""
    shapes = [part(300), gang(4)]
    heard = Heard(shapes)
    hear(heard, *(at % 2 for at in range(200)))
    assert heard.contradict(evenly(*shapes)) is None


def test_few_gangs_contradict_by_the_devices_they_want() -> None:
    """One request in eight is hardly to be seen by number, but it wants most of the devices."""
    shapes = [part(300), gang(4)]
    heard = Heard(shapes)
    hear(heard, *(int(at % 8 == 0) for at in range(256)))
    learnt = heard.contradict(evenly(part(300)))
    assert learnt is not None
    assert {one.shape.devices for one in learnt} == {1, 4}


def test_looks_are_rarer_as_more_has_arrived() -> None:
    """The first after 32 arrivals, at last one in 1,024."""
    heard = Heard([part(300)])
    looks = [at for at in range(1, 20_001) if heard.hear(0)]
    assert looks[0] == LOOK_FROM
    assert looks[-1] - looks[-2] == 1024
    assert len(looks) < 40


def test_requests_that_leave_are_heard() -> None:
    """One in sixteen is not yet churn, more are."""
    heard = Heard([part(300)])
    hear(heard, *[0] * 160)
    for _ in range(10):
        heard.hear_leaving()
    assert not heard.churns
    heard.hear_leaving()
    assert heard.churns


def test_churn_makes_a_host_that_holds_little_worth_keeping() -> None:
    """A part that may go to a host that holds one request or to one that holds three: after departures, the latter."""
    shapes = [part(100, 1_000), gang(4)]
    packing = Packing([host(), host()], shapes, evenly(*shapes), compiled=False)
    for _ in range(2 * LOOK_FROM):
        placed = packing.place(0)
        assert placed is not None
        packing.remove(placed)
    first = [packing.place(0) for _ in range(4)]
    assert len({each.host for each in first if each is not None}) == 1
    verdict = packing.score(0)
    assert verdict is not None
    assert verdict.runner_up is not None
    assert verdict.runner_up.cost.opening > verdict.chosen.cost.opening > 0


def test_scarce_cpu_makes_room_for_devices_cheap() -> None:
    """A quarter of the devices can be filled: a sixteenth of the prices, and a shorter look ahead, but some."""
    weights = Weights()
    scarce = weights.for_reach(0.25)
    assert scarce.slot == weights.slot / 16
    assert scarce.opening == weights.opening / 16
    assert 4 <= scarce.stream_shapes < weights.stream_shapes
    assert weights.for_reach(1.0) == weights


def test_scarce_cpu_is_counted_finely() -> None:
    """Half of the devices can be filled: an eighth of the cell, and more streams for no more work."""
    weights = Weights()
    scarce = weights.for_reach(0.5)
    assert scarce.cells_a_request == 8 * weights.cells_a_request
    assert scarce.streams == 4 * weights.streams
    assert scarce.streams * scarce.stream_shapes <= weights.streams * weights.stream_shapes
    typical = evenly(part(500, 8_000))
    assert (cell_of(typical, weights.cells_a_request), cell_of(typical, scarce.cells_a_request)) == (2_000, 200)


def test_few_arrivals_of_many_sorts_teach_nothing() -> None:
    """Of 128 sorts that are as common as was told, 32 arrivals miss most, and those that want most devices: mere chance."""
    shapes = [part(300, 10 * at) if at % 8 else gang(8, 10 * at) for at in range(128)]
    heard = Heard(shapes)
    hear(heard, *(4 * at + at % 4 for at in range(LOOK_FROM)))
    assert heard.contradict(evenly(*shapes)) is None


def test_gangs_that_nobody_told_of_are_noticed_at_the_first_look() -> None:
    """Nothing but gangs where parts were told."""
    heard = Heard([gang(2), gang(4), gang(8)])
    hear(heard, *(at % 3 for at in range(LOOK_FROM)))
    learnt = heard.contradict(evenly(part(300), part(500)))
    assert learnt is not None
    assert {one.shape.devices for one in learnt} == {2, 4, 8}
