"""Fair queueing: shares by weight, classes by theirs, first in first out, nobody starves."""

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.fleet.limits import Priority
from alliage.gateway.problems import Problem
from alliage.gateway.queueing import CLASS_WEIGHTS, FairQueue, Place
from tests.conftest import examples

_CLASSES = list(Priority)


class _One:
    """A waiter that only has a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def take_turn(self) -> None:
        """Nothing here waits for it."""

    def send_away(self, problem: Problem) -> None:
        """Nobody is."""


def _push(queue: FairQueue, tenant: str, cost: float = 1.0, priority: Priority = Priority.STANDARD) -> Place:
    return queue.push(_One(tenant), tenant, priority, cost, 0.0)


def _names(queue: FairQueue, number: int) -> list[str]:
    """Who goes, in order."""
    found = [queue.pop() for _ in range(number)]
    return [place.waiter.name for place in found if place is not None and isinstance(place.waiter, _One)]


@settings(max_examples=examples(60))
@given(
    weights=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=5),
    costs=st.lists(st.floats(1.0, 50.0), min_size=5, max_size=5),
    turns=st.integers(1, 200),
)
def test_shares_are_within_a_bound_of_the_weights(weights: list[float], costs: list[float], turns: int) -> None:
    """While all wait, what two tenants got over their weights differs by at most one request of each, after any number of turns."""
    queue = FairQueue()
    queue.weights = {str(i): weight for i, weight in enumerate(weights)}
    for i in range(len(weights)):
        for _ in range(turns + 1):
            _push(queue, str(i), costs[i])
    got = Counter[str]()
    for _ in range(turns):
        (name,) = _names(queue, 1)
        got[name] += 1
        for i, j in combinations(range(len(weights)), 2):
            a, b = (got[str(k)] * costs[k] / weights[k] for k in (i, j))
            assert abs(a - b) <= (costs[i] / weights[i] + costs[j] / weights[j]) * (1 + 1e-9)


@settings(max_examples=examples(60))
@given(
    arrivals=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(_CLASSES)), max_size=60),
    flood=st.sampled_from("abc"),
)
def test_nobody_starves(arrivals: list[tuple[str, Priority]], flood: str) -> None:
    """However much another tenant, or a more urgent class of one's own, goes on asking, one request goes within a stated number of turns."""
    queue = FairQueue()
    queue.weights = {"a": 4.0, "b": 2.0}
    for tenant, priority in arrivals:
        _push(queue, tenant, priority=priority)
    mine = queue.push(_One("mine"), "z", Priority.BATCH, 1.0, 0.0)
    _push(queue, "z", priority=Priority.INTERACTIVE)
    turn = 0
    while turn < 1000:
        turn += 1
        _push(queue, flood)
        _push(queue, "z", priority=Priority.INTERACTIVE)
        if queue.pop() is mine:
            break
    # all weights are 8, mine 1 of them; of its turns 17 may come to interactive ones first, and one of each other comes before
    assert turn <= 8 * (CLASS_WEIGHTS[Priority.INTERACTIVE] + 2) + 8


@given(arrivals=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(_CLASSES), st.booleans()), max_size=60))
def test_first_in_first_out_and_nothing_lost(arrivals: list[tuple[str, Priority, bool]]) -> None:
    """Of one tenant and class the order stays, whoever leaves is passed over, all others go once."""
    queue, places = FairQueue(), []
    for tenant, priority, leaves in arrivals:
        place = _push(queue, tenant, priority=priority)
        places.append((place, tenant, priority, leaves))
    for place, *_, leaves in places:
        if leaves:
            queue.leave(place)
            queue.leave(place)
    assert queue.length == sum(not leaves for *_, leaves in places)
    went = []
    while (next_one := queue.pop()) is not None:
        went.append(next_one)
    for flow in {(tenant, priority) for _, tenant, priority, _ in places}:
        expected = [place for place, tenant, priority, leaves in places if (tenant, priority) == flow and not leaves]
        assert [place for place in went if place in expected] == expected
    assert len(went) == sum(not leaves for *_, leaves in places)
    assert queue.length == 0


def test_classes_share_their_tenants_part() -> None:
    """Of 21 turns of one tenant 16 are interactive, 4 standard and 1 batch."""
    queue = FairQueue()
    for priority in _CLASSES:
        for _ in range(30):
            queue.push(_One(priority), "a", priority, 1.0, 0.0)
    assert Counter(_names(queue, 21)) == {"interactive": 16, "standard": 4, "batch": 1}


def test_who_asks_for_much_waits_for_who_asks_for_little() -> None:
    """A tenant with a hundred in the queue lets the first of another go after at most one more of its own."""
    queue = FairQueue()
    for _ in range(100):
        _push(queue, "much")
    assert _names(queue, 10) == ["much"] * 10
    _push(queue, "little")
    assert "little" in _names(queue, 2)


def test_a_pause_earns_nothing() -> None:
    """Who comes back begins at the present virtual time: it does not get all turns for having been away."""
    queue = FairQueue()
    for _ in range(100):
        _push(queue, "stays")
    _push(queue, "goes")
    _names(queue, 50)
    for _ in range(50):
        _push(queue, "goes")
    assert abs(Counter(_names(queue, 20))["goes"] - 10) <= 1


def test_what_took_more_than_expected_is_paid_for() -> None:
    """Its tenant's next turns come later by that much, and sooner for what took less."""
    queue = FairQueue()
    for _ in range(60):
        _push(queue, "a")
        _push(queue, "b", 10.0)
    went = Counter[str]()
    for _ in range(40):
        (name,) = _names(queue, 1)
        went[name] += 1
        if name == "b":
            queue.settle("b", -9.0)
    assert abs(went["a"] - went["b"]) <= 1
    queue.settle("a", 20.0)
    later = Counter(_names(queue, 3))
    assert later["b"] >= 2


def test_of_a_full_queue_the_newest_of_whoever_has_most_for_its_weight_goes() -> None:
    """The least urgent of it; nobody, where that would be the one who comes."""
    queue = FairQueue()
    queue.weights = {"heavy": 4.0}
    for _ in range(6):
        _push(queue, "heavy")
    _push(queue, "light", priority=Priority.BATCH)
    last = _push(queue, "light", priority=Priority.BATCH)
    _push(queue, "light")
    assert queue.longest("new") is last
    assert queue.longest("light") is None
    assert queue.longest("heavy") is last
