"""Slots: who wants one of a size, and the gangs that no statistics foresee."""

import pytest

from alliage.decide.packing.packing import Packing
from alliage.decide.packing.slots import slot_worths, unforeseen_gangs
from alliage.decide.packing.weights import Weights
from tests.decide.packing.builders import evenly, gang, host, part


def test_a_slot_of_a_gang_is_worth_what_larger_gangs_want_too() -> None:
    """Gangs of four count for the slots of gangs of two, not the other way round, and only with as much cpu."""
    wanting = evenly(gang(2, 4_000), gang(4, 8_000), gang(4, 2_000))
    assert slot_worths(wanting, [0.2, 0.5, 0.3]) == pytest.approx([0.7, 0.5, 0.8])


def test_a_slot_of_a_part_is_worth_what_larger_parts_want_too() -> None:
    """Parts count for smaller parts; whole devices, gangs and other kinds do not."""
    wanting = evenly(part(300), part(600), part(600, 2_000, 0, "red"), part(1000), gang(2))
    assert slot_worths(wanting, [0.1, 0.2, 0.3, 0.25, 0.15]) == pytest.approx([0.3, 0.2, 0.3, 0.25, 0.15])


def test_unforeseen_gangs_share_their_part_of_the_demand() -> None:
    """One for each number of devices above one, the same demand each, with the typical cpu a device."""
    typical = evenly(part(500, 2_000))
    gangs = unforeseen_gangs([host(devices=each) for each in (1, 2, 4, 4)], typical, 0.1)
    assert [(one.shape.devices, one.shape.cpu_milli) for one in gangs] == [(2, 8_000), (4, 16_000)]
    assert [one.share * one.shape.devices * 1000 for one in gangs] == pytest.approx([25, 25])
    assert unforeseen_gangs([host()], typical, 0) == []
    assert unforeseen_gangs([host()], (), 0.1) == []


def test_pairs_go_where_fours_cannot() -> None:
    """Where pairs and fours are asked for, a pair goes to a host of two devices, whatever else has room for it."""
    fleet = [host("red", 4), host("green", 2), host("red", 4)]
    packing = Packing(fleet, [gang(2)], evenly(gang(2), gang(4)), compiled=False)
    placed = packing.place(0)
    assert placed is not None
    assert placed.host == 1


def test_gangs_price_the_hosts_that_they_fit_on() -> None:
    """Demand for fours prices the hosts of four above the others of the same kind; without gangs they cost the same."""
    fleet = [host("red", 4), host("red", 2)]
    for typical, dearer in ((evenly(gang(4)), True), (evenly(part(500)), False)):
        weights = Weights(unforeseen=0.0)
        packing = Packing(fleet, [part(500)], typical, weights=weights, compiled=False, learns=False)
        verdict = packing.score(0)
        assert verdict is not None
        assert verdict.runner_up is not None
        offers = {offer.host: offer.cost.kind for offer in (verdict.chosen, verdict.runner_up)}
        assert (offers[0] > offers[1]) == dearer
