"""Problems at the edge of what there is: an answer or a clear refusal, never a hang."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest

from alliage.decide.solve.answer import Budget, Infeasible, Plan, Status
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import Guarantee, Problem, Running, ServiceAsk, Site, Spread, Tenant
from alliage.decide.solve.reasons import WhyCode
from alliage.errors import BadInput
from alliage.fleet.replicas import Evidence
from tests.conftest import LONGER
from tests.decide.solve.builders import UNIT, a_job, a_pool, a_problem, a_service, a_way
from tests.decide.solve.checker import faults


def planned(problem: Problem) -> Plan:
    """The plan, which must be one that keeps every rule."""
    answer = plan(problem, Budget(gap=1e-6))
    assert isinstance(answer, Plan)
    assert faults(problem, answer) == []
    return answer


def test_nothing_at_all() -> None:
    """No fleet and no work: the empty plan, which is the best."""
    answer = planned(Problem())
    assert answer.status is Status.OPTIMAL
    assert answer.assigned == ()


def test_empty_fleet_leaves_everything_unmet_with_a_reason() -> None:
    """Without a pool the demand is missing because no pool has the chip."""
    answer = planned(a_problem(a_service(), pools=()))
    (lack,) = answer.unmet
    assert lack.missing == 4.0
    assert {why.code for why in lack.because} == {WhyCode.UNAVAILABLE}


def test_zero_demand_takes_nothing() -> None:
    """A service that nobody asks anything of gets no device and lacks none."""
    answer = planned(a_problem(a_service(demand=0.0)))
    assert answer.assigned == ()
    assert answer.unmet == ()


def test_unknown_speed_makes_up_the_least_replicas_only() -> None:
    """A way without a rate stands in for the least number, and serves nothing that is reckoned."""
    ways = (a_way(rate=None),)
    answer = planned(a_problem(a_service(ways=ways, min_replicas=2)))
    assert [each.count for each in answer.replicas] == [2]
    (lack,) = answer.unmet
    assert lack.missing == 4.0
    assert WhyCode.RATE_UNKNOWN in {why.code for why in lack.because}


def test_failed_recipe_is_not_used() -> None:
    """However idle the fleet: a failed recipe is not tried again."""
    answer = planned(a_problem(a_service(ways=(a_way(evidence=Evidence.FAILED),))))
    assert answer.assigned == ()
    assert {why.code for why in answer.unmet[0].because} == {WhyCode.FAILED}


def test_a_gang_that_no_node_holds_is_refused_by_name() -> None:
    """Eight of one make on nodes of four that do not add up to six: the reason names the gang."""
    pools = (a_pool("h20", nodes=3, node_devices=4),)
    answer = planned(a_problem(a_service(ways=(a_way("h20", 6),)), pools=pools))
    (why,) = answer.unmet[0].because
    assert why.code is WhyCode.GANG_TOO_LARGE
    assert why.facts["devices"] == 6


def test_a_gang_of_two_nodes_takes_them_whole() -> None:
    """Eight devices on nodes of four: two whole nodes, so the third has room for one single."""
    pools = (a_pool("h20", nodes=3, node_devices=4),)
    big, small = a_job(ways=(a_way("h20", 8),)), a_service(demand=9.0, ways=(a_way("h20", 1),))
    answer = planned(a_problem(big, small, pools=pools))
    assert {each.work: each.count for each in answer.assigned} == {"train": 1, "chat": 4}


def test_fragments_are_told_apart_from_room() -> None:
    """Two nodes of four with three taken each: two are free, yet no gang of two finds a place."""
    pools = (a_pool("ppu", nodes=2, node_devices=4),)
    odd = a_service("odd", 2.0, (a_way("ppu", 3, rate=1.0),), value=900)
    pair = a_service("pair", 1.0, (a_way("ppu", 2, rate=1.0),), value=10)
    answer = planned(a_problem(odd, pair, pools=pools))
    (lack,) = answer.unmet
    assert lack.work == "pair"
    assert [why.code for why in lack.because] == [WhyCode.NO_GANG_FREE]
    assert lack.because[0].facts["free"] == 2


def test_replicas_on_nodes_of_their_own() -> None:
    """Four replicas that may not share a node of three nodes: three, and the reason is the spread."""
    pools = (a_pool("ppu", nodes=3),)
    answer = planned(a_problem(a_service(spread=Spread.NODES), pools=pools))
    assert [each.count for each in answer.replicas] == [3]
    assert [why.code for why in answer.unmet[0].because] == [WhyCode.SPREAD]


def test_spread_survives_real_packing() -> None:
    """Where large gangs fill a node, replicas that must not share one are not promised what cannot be packed."""
    pools = (a_pool("ppu", nodes=2),)
    large = a_service("large", 3.0, (a_way("ppu", 4),), value=900)
    small = a_service("small", 2.0, (a_way("ppu", 1),), value=500, spread=Spread.NODES)
    answer = planned(a_problem(large, small, pools=pools))
    assert {each.work: each.count for each in answer.replicas}["large"] == 3
    assert {lack.work for lack in answer.unmet} == {"small"}


def test_held_work_that_does_not_fit_names_the_pool() -> None:
    """Jobs that may not be taken away on more nodes than there are: refused, with the pool as the culprit."""
    job = a_job(count=2, is_preemptible=False)
    pools = (a_pool("h20", nodes=1),)
    runs = (Running(work="train", way="h20x8", pool=pools[0].name, count=2),)
    answer = plan(a_problem(job, pools=pools, running=runs))
    assert isinstance(answer, Infeasible)
    assert answer.culprit == pools[0].name


def test_borrowed_devices_come_back_unless_they_are_held() -> None:
    """A guaranteed service takes its node from a preemptible job; within its minimum run time the record names it."""
    pools = (a_pool("h20", nodes=1),)
    tenants = (Tenant(name="a", guarantees=(Guarantee(chips=frozenset({"h20"}), devices=8),)), Tenant(name="b"))
    mine = a_service(demand=8.0, ways=(a_way("h20", 8, rate=8.0),))
    other = a_job(tenant="b", value=900)
    run = Running(work="train", way="h20x8", pool=pools[0].name, count=1)
    free = a_problem(mine, other, pools=pools, tenants=tenants, running=(run,))
    assert [each.work for each in planned(free).assigned] == ["chat"]
    answer = planned(replace(free, running=(replace(run, held=1),)))
    assert [each.work for each in answer.assigned] == ["train"]
    (unkept,) = answer.unkept
    assert unkept.because[0].code is WhyCode.HELD
    assert unkept.because[0].facts["holders"] == "train"


def test_a_move_is_made_only_where_it_pays() -> None:
    """A dearer chip that runs is kept while a cold start costs more than an hour of the difference."""
    pools = (a_pool("ppu", price=1), a_pool("h20", price=2))
    ways = (a_way("ppu", 1, rate=4.0), a_way("h20", 1, rate=4.0))
    runs = (Running(work="chat", way="h20x1", pool=pools[1].name, count=1),)
    for start, chip in ((3 * UNIT, "h20"), (UNIT // 2, "ppu")):
        answer = planned(a_problem(a_service(ways=ways, start_micros=start), pools=pools, running=runs))
        assert [each.way for each in answer.replicas] == [f"{chip}x1"]


def test_price_of_an_idle_chip_is_its_list_price_and_scarcity_comes_on_top() -> None:
    """Nobody pays more than the list for what lies idle; where demand waits, a device-hour costs what it would serve."""
    idle = planned(a_problem(a_service(demand=1.0)))
    assert [each.price_micros for each in idle.prices] == [UNIT]
    short = planned(a_problem(a_service(demand=100.0)))
    (price,) = short.prices
    assert price.is_interval
    assert price.low_micros <= price.price_micros <= price.high_micros
    assert price.price_micros == UNIT


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, 1e30])
def test_absurd_figures_are_refused_by_name(value: float) -> None:
    """Negative, not a number, endless, absurdly large: refused with the name and the value."""
    with pytest.raises(BadInput, match="demand_rps of chat"):
        plan(a_problem(a_service(demand=value)))
    with pytest.raises(BadInput, match="rate of way ppux1 of chat"):
        plan(a_problem(a_service(ways=(a_way(rate=value),))))
    with pytest.raises(BadInput, match="weight of tenant a"):
        plan(a_problem(a_service(), tenants=(Tenant(name="a", weight=value),)))


ABSURD = (-1, -1.0, math.nan, math.inf, -math.inf, 1e30)


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["work", "wall_s", "gap", "seed"])
def test_absurd_budgets_are_refused_by_name(name: str, value: float) -> None:
    """A solve is never begun with a budget that could not end it."""
    budget = with_figure(Budget(), name, value)
    with pytest.raises(BadInput, match=re.escape(f"{name} of the budget is {value!r}")):
        plan(a_problem(a_service()), budget)


@pytest.mark.parametrize("value", ABSURD)
def test_absurd_figures_of_every_kind_are_refused_by_name(value: float) -> None:
    """Whatever of a problem is a number: pools, tenants, guarantees, works, ways and what runs."""
    pool, tenant, service, job = a_pool(), Tenant(name="a"), a_service(), a_job(ways=(a_way(),))
    run = Running(work="chat", way="ppux1", pool=pool.name, count=1)
    right = Guarantee(chips=frozenset({"ppu"}), devices=1)

    def problem(**more: Any) -> Problem:
        given = {"pools": (pool,), "tenants": (tenant,), **more}
        works = given.pop("works", (service, job))
        return a_problem(*works, **given)

    cases = [
        *(problem(pools=(with_figure(pool, name, value),)) for name in ("node_devices", "nodes", "price_micros")),
        *(problem(tenants=(with_figure(tenant, name, value),)) for name in ("tier", "weight", "budget_micros")),
        problem(tenants=(replace(tenant, guarantees=(with_figure(right, "devices", value),)),)),
        *(
            problem(works=(with_figure(service, name, value), job))
            for name in ("demand_rps", "min_replicas", "max_replicas", "value_micros", "start_micros")
        ),
        *(
            problem(works=(service, with_figure(job, name, value)))
            for name in ("count", "remaining", "deadline_s", "value_micros", "start_micros")
        ),
        *(
            problem(works=(replace(service, ways=(with_figure(a_way(), name, value),)), job))
            for name in ("devices", "rate")
        ),
        *(problem(running=(with_figure(run, name, value),)) for name in ("count", "held")),
        problem(horizon_s=value),
    ]
    for case in cases:
        with pytest.raises(BadInput):
            plan(case)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("wall_s", [0.0, 0.001])
def test_next_to_no_wall_time_on_a_small_fleet(wall_s: float) -> None:
    """An answer that keeps every rule, and says that it was cut short unless what it has is proven."""
    problem = a_problem(a_service(), a_job(), pools=(a_pool(), a_pool("h20", nodes=2)))
    answer = plan(problem, Budget(wall_s=wall_s))
    assert isinstance(answer, Plan)
    assert faults(problem, answer) == []
    assert answer.status is Status.CUT_SHORT or answer.gap <= 0.01


@pytest.mark.timeout(300)
@pytest.mark.parametrize("budget", [Budget(wall_s=0.0), Budget(work=0)])
def test_no_budget_at_all_proves_nothing_and_says_so(budget: Budget) -> None:
    """Work that cannot be reckoned with nothing to spend stays unmet, with its reasons; nothing is called proven."""
    answer = plan(a_problem(a_service(), a_job(), pools=(a_pool(), a_pool("h20"))), budget)
    assert isinstance(answer, Plan)
    assert answer.status is Status.CUT_SHORT
    assert {lack.work for lack in answer.unmet} == {"chat", "train"}
    assert all(lack.because for lack in answer.unmet)


def test_one_chip_one_node_one_device() -> None:
    """The smallest fleet there is: whoever is worth more has the device, and the other's reason is that it is full."""
    pools = (a_pool(node_devices=1),)
    answer = planned(a_problem(a_service("dear", 1.0, value=90), a_service("cheap", 1.0, value=10), pools=pools))
    assert [each.work for each in answer.replicas] == ["dear"]
    (lack,) = answer.unmet
    assert [why.code for why in lack.because] == [WhyCode.DEVICES_FULL]


def test_only_unknown_speeds_anywhere() -> None:
    """A fleet of which nothing is known: least replicas stand, demand and jobs wait, and every reason is the speed."""
    unknown = (a_way(rate=None),)
    answer = planned(a_problem(a_service(ways=unknown, min_replicas=1), a_job(ways=unknown)))
    assert [(each.work, each.count) for each in answer.assigned] == [("chat", 1)]
    assert {why.code for lack in answer.unmet for why in lack.because} == {WhyCode.RATE_UNKNOWN}


def test_unknown_and_double_names_are_refused() -> None:
    """A tenant, site or work that is not there, or is there twice."""
    with pytest.raises(BadInput, match="tenant of chat is 'a'"):
        plan(a_problem(a_service(), tenants=()))
    with pytest.raises(BadInput, match="site of pool"):
        plan(a_problem(a_service(), pools=(a_pool(site="nowhere"),)))
    with pytest.raises(BadInput, match="chat is there twice"):
        plan(a_problem(a_service(), a_service()))
    runs = (Running(work="ghost", way="ppux1", pool="paris-1-ppu-8", count=1),)
    with pytest.raises(BadInput, match="work that runs is 'ghost'"):
        plan(a_problem(a_service(), running=runs))


def test_huge_and_tiny_figures_that_are_allowed() -> None:
    """A demand of 1e15 and a rate of 1e-9: an answer, not a hang."""
    answer = planned(a_problem(a_service(demand=1e15), a_service("slow", 1.0, (a_way(rate=1e-9),))))
    assert {lack.work for lack in answer.unmet} == {"chat", "slow"}


def test_ten_thousand_nodes_in_one_pool() -> None:
    """Alike nodes are one row."""
    one = plan(a_problem(a_service(demand=50_000.0, max_replicas=10**6, value=10**6), pools=(a_pool(nodes=10_000),)))
    assert isinstance(one, Plan)
    assert sum(each.count for each in one.replicas) == 50_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("budget", [Budget(work=20_000), Budget(wall_s=0.001)])
def test_ten_thousand_nodes_in_as_many_pools(budget: Budget) -> None:
    """Nodes of which no two are alike: an answer, which says whether it was cut short. `make fuzz` has ten thousand."""
    pools = tuple(replace(a_pool(), name=f"p{number:05}") for number in range(10_000 if LONGER > 1 else 1_500))
    problem = Problem(
        sites=(Site(name="paris-1"),),
        pools=pools,
        tenants=(Tenant(name="a"),),
        services=(_small("chat"), _small("bot")),
    )
    answer = plan(problem, budget)
    assert isinstance(answer, Plan)
    assert sum(each.count for each in answer.replicas) <= 80
    assert answer.status is Status.CUT_SHORT or not answer.unmet


def with_figure(thing: Any, name: str, value: float) -> Any:
    """The same with one figure that no type would let through."""
    return replace(thing, **{name: value})


def _small(name: str) -> ServiceAsk:
    return a_service(name, 40.0, max_replicas=100)
