"""plan's core on small instances: what it gives is possible, is worth it, says what it lacks, and stands still."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.decide.solve.answer import Infeasible, Plan, Status
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import Guarantee, JobAsk, Pool, Problem, Running, ServiceAsk, Site, Tenant, Way
from alliage.errors import BadInput
from tests.conftest import examples

SITES = (Site(name="paris", tags=frozenset({"eu"})), Site(name="dubai"))


def a_pool(
    name: str, chip: str, *, site: str = "paris", nodes: int = 2, node_devices: int = 4, price: int = 10
) -> Pool:
    """Alike nodes."""
    return Pool(name=name, site=site, chip=chip, node_devices=node_devices, nodes=nodes, price_micros=price)


def a_way(chip: str, devices: int = 1, rate: float | None = 1.0) -> Way:
    """A recipe on a chip."""
    return Way(name=f"{chip}x{devices}", chip=chip, devices=devices, rate=rate)


def planned(problem: Problem) -> Plan:
    """The plan, which must be one."""
    answer = plan(problem)
    assert isinstance(answer, Plan)
    return answer


def packed(gangs: list[int], nodes: int, node_devices: int) -> bool:
    """Whether whole gangs go into the nodes; largest first, which is exact for powers of two. Shares no code with plan.

    A gang larger than a node takes whole nodes of the pool, which is one link domain.
    """
    free = [node_devices] * nodes
    for gang in sorted(gangs, reverse=True):
        if gang > node_devices:
            whole = [at for at, left in enumerate(free) if left == node_devices][: -(-gang // node_devices)]
            if len(whole) * node_devices < gang:
                return False
            for at in whole:
                free[at] = 0
            continue
        fitting = [at for at, left in enumerate(free) if left >= gang]
        if not fitting:
            return False
        free[min(fitting, key=lambda at: free[at])] -= gang
    return True


def test_the_cheaper_of_two_that_both_serve_is_taken() -> None:
    """Two pools, one twice as dear: all replicas stand on the cheaper one, and the plan is proven."""
    service = ServiceAsk(name="chat", tenant="t", demand_rps=3.0, ways=(a_way("dear"), a_way("cheap")))
    pools = (a_pool("p1", "dear", price=20), a_pool("p2", "cheap", price=10))
    made = planned(Problem(sites=SITES, pools=pools, tenants=(Tenant(name="t"),), services=(service,)))
    assert [(each.pool, each.count) for each in made.replicas] == [("p2", 3)]
    assert made.status is Status.OPTIMAL
    assert made.unmet == ()


def test_residency_is_kept_even_where_it_costs_the_service() -> None:
    """Data that may live in `eu` only is not served from Dubai, and what is missing is told."""
    service = ServiceAsk(name="chat", tenant="t", demand_rps=2.0, ways=(a_way("a"),), residency=frozenset({"eu"}))
    pools = (a_pool("far", "a", site="dubai", nodes=8), a_pool("near", "a", nodes=1, node_devices=1))
    made = planned(Problem(sites=SITES, pools=pools, tenants=(Tenant(name="t"),), services=(service,)))
    assert {each.pool for each in made.replicas} == {"near"}
    (unmet,) = made.unmet
    assert (unmet.work, round(unmet.missing, 6)) == ("chat", 1.0)
    assert unmet.because


def test_a_guarantee_comes_before_what_others_would_pay() -> None:
    """Four devices, guaranteed to the house; a guest whose service is worth far more gets what is left."""
    house = Tenant(name="house", guarantees=(Guarantee(chips=frozenset({"a"}), devices=3),))
    asks = (
        ServiceAsk(name="h", tenant="house", demand_rps=3.0, ways=(a_way("a"),), value_micros=1000),
        ServiceAsk(name="g", tenant="guest", demand_rps=4.0, ways=(a_way("a"),), value_micros=1_000_000),
    )
    problem = Problem(
        sites=SITES, pools=(a_pool("p", "a", nodes=1),), tenants=(house, Tenant(name="guest")), services=asks
    )
    counts = {each.work: each.count for each in planned(problem).replicas}
    assert counts == {"h": 3, "g": 1}


@pytest.mark.parametrize("demand", [-1.0, float("nan"), 1e30])
def test_absurd_figures_are_refused_by_name(demand: float) -> None:
    """Never a hang, never a plan."""
    service = ServiceAsk(name="chat", tenant="t", demand_rps=demand, ways=(a_way("a"),))
    problem = Problem(sites=SITES, pools=(a_pool("p", "a"),), tenants=(Tenant(name="t"),), services=(service,))
    with pytest.raises(BadInput, match="chat"):
        plan(problem)


def test_nothing_asked_and_nothing_there_are_plans() -> None:
    """No demand on a fleet, and demand on no fleet."""
    service = ServiceAsk(name="chat", tenant="t", demand_rps=1.0, ways=(a_way("a"),))
    empty = planned(Problem(sites=SITES, pools=(a_pool("p", "a"),), tenants=(Tenant(name="t"),)))
    assert (empty.replicas, empty.unmet) == ((), ())
    bare = plan(Problem(sites=SITES, tenants=(Tenant(name="t"),), services=(service,)))
    assert isinstance(bare, Infeasible) or [each.work for each in bare.unmet] == ["chat"]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Up to three pools of two chips, two tenants, services and jobs with gangs of powers of two."""
    pools = tuple(
        a_pool(
            f"p{n}",
            draw(st.sampled_from("ab")),
            site=draw(st.sampled_from(["paris", "dubai"])),
            nodes=draw(st.integers(1, 3)),
            node_devices=draw(st.sampled_from([1, 2, 4, 8])),
            price=draw(st.integers(1, 20)),
        )
        for n in range(draw(st.integers(1, 3)))
    )

    def some_ways() -> tuple[Way, ...]:
        kinds = draw(
            st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2, 4])), min_size=1, max_size=3, unique=True)
        )
        return tuple(a_way(chip, devices, draw(st.floats(0.5, 4))) for chip, devices in kinds)

    services = tuple(
        ServiceAsk(
            name=f"s{n}",
            tenant=draw(st.sampled_from(["one", "two"])),
            demand_rps=draw(st.floats(0, 6)),
            ways=some_ways(),
            residency=draw(st.sampled_from([frozenset(), frozenset({"eu"})])),
        )
        for n in range(draw(st.integers(0, 3)))
    )
    jobs = tuple(
        JobAsk(
            name=f"j{n}", tenant=draw(st.sampled_from(["one", "two"])), count=draw(st.integers(1, 4)), ways=some_ways()
        )
        for n in range(draw(st.integers(0, 2)))
    )
    tenants = (
        Tenant(name="one", guarantees=(Guarantee(chips=frozenset("ab"), devices=draw(st.integers(0, 4))),)),
        Tenant(name="two", weight=draw(st.floats(0.5, 3))),
    )
    return Problem(sites=SITES, pools=pools, tenants=tenants, services=services, jobs=jobs)


@settings(max_examples=examples(25))
@given(problem=problems())
def test_safety_gangs_fit_residency_holds_and_the_same_problem_gives_the_same_plan(problem: Problem) -> None:
    """Safety 1, 2, 4 and 10 on generated fleets, against a checker that packs gang by gang."""
    answer = plan(problem)
    if isinstance(answer, Infeasible):
        assert answer.culprit
        return
    works = {work.name: work for work in problem.works}
    for pool in problem.pools:
        here = [each for each in (*answer.replicas, *answer.jobs) if each.pool == pool.name]
        sizes = [
            way.devices
            for each in here
            for way in works[each.work].ways
            if way.name == each.way
            for _ in range(each.count)
        ]
        assert packed(sizes, pool.nodes, pool.node_devices)
        site = next(site for site in problem.sites if site.name == pool.site)
        assert all(site.keeps(works[each.work].residency) for each in here)
    for job in problem.jobs:
        assert sum(each.count for each in answer.jobs if each.work == job.name) <= job.count
    assert plan(problem) == answer


@settings(max_examples=examples(25))
@given(problem=problems())
def test_planning_again_from_a_plan_moves_nothing(problem: Problem) -> None:
    """Safety 6: with the plan running there is nothing to move."""
    answer = plan(problem)
    if isinstance(answer, Infeasible):
        return
    running = tuple(
        Running(work=each.work, way=each.way, pool=each.pool, count=each.count)
        for each in (*answer.replicas, *answer.jobs)
        if each.count
    )
    again = plan(replace(problem, running=running))
    assert isinstance(again, Plan)
    assert again.moves == ()
