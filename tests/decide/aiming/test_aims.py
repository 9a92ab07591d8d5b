"""Aims that a solve could not prove change nothing that runs."""

from dataclasses import replace

from alliage.decide.aiming.aims import aim
from alliage.decide.aiming.outlook import Offers, outlook, outlook_within
from alliage.decide.price.listed import listed_prices
from alliage.decide.reckoning import Reckoner
from alliage.decide.solve.answer import Budget, Plan, Status
from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Objective
from alliage.fleet.view import FleetView
from tests.builders import CATALOG
from tests.decide.test_devices import carried_out, planned, rack, wanting


def test_a_solve_without_any_budget_keeps_what_runs_and_gives_the_rest_one_each() -> None:
    """One unit of work is next to nothing: what runs is aimed at as it is, and a service without any gets a replica."""
    first, second = wanting("qwen3-8b", "a"), wanting("qwen3-8b", "b")
    asked = replace(first, objective=Objective(ttft_s=1.0, tpot_s=0.04), rate_rps=30.0, max_replicas=100)
    bare = FleetView(version=1, nodes=(rack("h20", chip="nvidia-h20", gib=95),), services=(asked,))

    running = carried_out(bare, planned(bare))
    view = replace(running, services=(asked, second))
    now = outlook(view, listed_prices(CATALOG, {}), Reckoner(CATALOG), {})
    aims = aim(now, None, Budget(work=1))
    assert isinstance(aims.plan, Plan)
    if aims.plan.status is Status.CUT_SHORT and aims.plan.gap > 0.25:
        assert sum(each.count for each in aims.aims[ServiceName("a")]) == len(running.replicas)
        assert sum(each.count for each in aims.aims[ServiceName("b")]) == 1
    else:
        assert sum(each.count for each in aims.aims[ServiceName("a")]) >= 1


def test_an_outlook_that_is_reckoned_bit_by_bit_is_the_one_that_is_reckoned_at_once() -> None:
    """One answer a try: each try but the last says that it is not done, and the last one says what all at once says."""
    services = tuple(wanting(model, model) for model in ("qwen3-8b", "qwen3-14b", "qwen3-32b"))
    nodes = (rack("h20", chip="nvidia-h20", gib=95), rack("ppu", chip="thead-ppu-810e", gib=95))
    view, prices = FleetView(version=1, nodes=nodes, services=services), listed_prices(CATALOG, {})
    offers: Offers = {}
    reckoner, tries = Reckoner(CATALOG), 1
    while (found := outlook_within(view, prices, reckoner, offers, frozenset(), answers_max=1)) is None:
        tries += 1
    assert tries == 1 + len(services) * len(nodes)
    assert found == outlook(view, prices, Reckoner(CATALOG), {})
    assert found.is_like(found)
    more = replace(view, services=(replace(services[0], rate_rps=3.0), *services[1:]))
    assert found.is_like(outlook(more, prices, Reckoner(CATALOG), {}))
    assert not found.is_like(outlook(replace(view, nodes=nodes[:1]), prices, Reckoner(CATALOG), {}))
