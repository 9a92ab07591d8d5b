"""Aims that a solve could not prove change nothing that runs."""

from dataclasses import replace

from alliage.decide.aiming.aims import aim
from alliage.decide.aiming.outlook import outlook
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
