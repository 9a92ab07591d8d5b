"""Arrival orders drawn from a seed, and seeds as they are typed."""

from collections import Counter

import pytest

from alliage.errors import BadInput
from alliage.replay.openb.orders import choose_orders, draw_order, parse_seeds
from alliage.replay.openb.popularity import Pod
from alliage.replay.openb.trace import Order, Trace, make_trace, shuffle_hosts
from tests.replay.builders import a_host, a_shape


def _trace(*pods: int, devices: int = 10) -> Trace:
    """One host with so many devices, and pods that ask for so many thousandths of one device."""
    return make_trace((a_host(devices),), tuple(Pod(a_shape(1 if milli else 0, milli)) for milli in pods))


def test_every_pod_comes_once_then_more_until_130_percent() -> None:
    """5 pods of 1 device, 10 devices: 13 arrivals, of which the first 5 are all of them."""
    order = draw_order(_trace(*[1000] * 5), 42)
    assert len(order.pods) == 13
    assert sorted(order.pods[:5]) == [0, 1, 2, 3, 4]


def test_a_trace_that_asks_for_enough_is_only_shuffled() -> None:
    """Nothing is drawn twice."""
    order = draw_order(_trace(*[1000] * 20), 1)
    assert Counter(order.pods) == Counter(range(20))


def test_the_same_seed_gives_the_same_order() -> None:
    """And another one another."""
    trace = _trace(*[300, 1000, 0, 500] * 3)
    assert draw_order(trace, 5) == draw_order(trace, 5)
    assert draw_order(trace, 5).pods != draw_order(trace, 6).pods


def test_pods_that_ask_for_no_device_or_for_hardly_any() -> None:
    """The first are shuffled; the second would take millions of arrivals and are refused."""
    assert len(draw_order(_trace(0, 0), 1).pods) == 2
    with pytest.raises(BadInput, match=r"ask for 0\.001 of 1331 devices"):
        draw_order(_trace(1, *[0] * 9, devices=1024), 1)


def test_seeds_are_chosen_from_a_file() -> None:
    """All where none are named; one that is not there is refused with those that are."""
    orders = (Order(seed=1, pods=(0,)), Order(seed=2, pods=(1,)))
    assert choose_orders(orders, ()) == orders
    assert choose_orders(orders, (2,)) == orders[1:]
    with pytest.raises(BadInput, match="no seed 3") as refused:
        choose_orders(orders, (3,))
    assert "1, 2" in refused.value.remedy


@pytest.mark.parametrize(("text", "seeds"), [("", ()), ("42", (42,)), ("42-44,7", (42, 43, 44, 7)), ("1,1", (1,))])
def test_seeds_as_typed(text: str, seeds: tuple[int, ...]) -> None:
    """Lists and ranges, each seed once."""
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["x", "4-", "-4", "5-4", "1-99999999", "1.5"])
def test_bad_seeds_are_refused(text: str) -> None:
    """The remedy shows how they are written."""
    with pytest.raises(BadInput):
        parse_seeds(text)


def test_hosts_are_shuffled_by_seed() -> None:
    """The same hosts in an order that only the seed and the number of the try decide."""
    trace = make_trace(tuple(a_host(devices) for devices in range(1, 30)), ())
    orders = [shuffle_hosts(trace, *each).hosts for each in ((42, 0), (42, 0), (42, 1), (43, 0))]
    assert orders[0] == orders[1]
    assert len({orders[0], orders[2], orders[3], trace.hosts}) == 4
    assert all(Counter(order) == Counter(trace.hosts) for order in orders)
