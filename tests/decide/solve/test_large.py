"""The method for large problems, on small ones where every plan can be counted, and on one of middling size."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.decide.solve.answer import Budget, Plan, Status
from alliage.decide.solve.bundles import extras, is_allowed, price
from alliage.decide.solve.counts import holds
from alliage.decide.solve.highs import Solver
from alliage.decide.solve.knapsacks import tables
from alliage.decide.solve.linking import link, reduced_by, signed
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import build
from alliage.decide.solve.money import money_setting, settle_money
from alliage.decide.solve.planner import LARGE, plan
from alliage.decide.solve.problem import Problem, Tenant
from alliage.decide.solve.reasons import WhyCode
from bench.decide.plan import without_a_node
from bench.decide.plan_instances import an_instance, running
from tests.conftest import examples
from tests.decide.solve.builders import CHIPS, UNIT, a_pool, a_problem, a_service, a_way, problems
from tests.decide.solve.checker import faults

MIDDLING = an_instance(5, services=75, chips=8, tenants=6)
ROUGH = Budget(gap=0.08)


@st.composite
def knapsacks(draw: st.DrawFn) -> Problem:
    """Two services with a few ways each, where pools, least and most numbers of replicas may all bind."""
    services = []
    for name in ("one", "two"):
        ways = tuple(
            a_way(chip, devices, draw(st.sampled_from((1.0, 1.5, 2.2, 4.1))))
            for chip in CHIPS
            for devices in (1, 2)
            if draw(st.booleans())
        )
        least = draw(st.integers(0, 2))
        services.append(
            a_service(
                name,
                draw(st.sampled_from((2.0, 4.3, 6.0))),
                ways,
                value=draw(st.sampled_from((3, 20, 90))),
                min_replicas=least,
                max_replicas=least + draw(st.integers(1, 2)),
            )
        )
    pools = tuple(a_pool(chip, nodes=1, node_devices=4, price=draw(st.integers(0, 4))) for chip in CHIPS)
    return a_problem(*services, pools=pools)


def cheapest(problem: Problem) -> float:
    """Of all plans, counted one by one: devices, and what is not served of the demand and of the least replicas."""
    places = [
        (work, way, pool)
        for work in problem.services
        for way in work.ways
        for pool in problem.pools
        if pool.chip == way.chip
    ]
    best = float("inf")
    for counts in product(
        *(range(min(pool.devices // way.devices, work.max_replicas) + 1) for work, way, pool in places)
    ):
        chosen = list(zip(places, counts, strict=True))
        taken = {pool.name: 0 for pool in problem.pools}
        cost = 0.0
        for (_, way, pool), count in chosen:
            taken[pool.name] += way.devices * count
            cost += way.devices * count * pool.price_micros
        if any(taken[pool.name] > pool.devices for pool in problem.pools):
            continue
        for work in problem.services:
            mine = [(way, count) for (each, way, _), count in chosen if each is work]
            replicas = sum(count for _, count in mine)
            if replicas > work.max_replicas:
                break
            rate = sum((way.rate or 0.0) * count for way, count in mine)
            cost += (work.value_micros or 0) * (1 - min(1.0, rate / work.demand_rps))
            cost += least_value(problem, work.name) * max(0.0, 1 - replicas / max(1, work.min_replicas))
        else:
            best = min(best, cost)
    return best


def least_value(problem: Problem, name: str) -> float:
    """What the least replicas of a service are worth: its value, and at least a million or four times its dearest way."""
    work = next(each for each in problem.services if each.name == name)
    if not work.min_replicas:
        return 0.0
    prices = {pool.chip: pool.price_micros for pool in problem.pools}
    dearest = max(
        (
            max(work.min_replicas, 1.0 / min(1.0, (way.rate or 0.0) / work.demand_rps)) * way.devices * prices[way.chip]
            for way in work.ways
        ),
        default=0.0,
    )
    return max(float(work.value_micros or 0), float(UNIT), 4 * dearest)


@settings(max_examples=examples(40))
@given(knapsacks(), st.lists(st.floats(0, 3), min_size=12, max_size=12))
def test_no_price_proves_more_than_the_cheapest_plan_costs(problem: Problem, prices: list[float]) -> None:
    """At any prices of devices the bound is below every plan, and what is proposed is within each service's limits."""
    model = build(problem)
    setting = money_setting(model, {})
    linked = link(model)
    duals = np.array([-prices[row % 12] * UNIT / model.scale for row in linked.rows])
    found = price(model, setting, linked, duals)
    best = cheapest(problem)
    assert found.bound * model.scale <= best * (1 + 1e-9) + 1.0
    assert all(is_allowed(model, bundle) for bundle in found.bundles)
    covering = price(model, setting, linked, duals, is_covering=True)
    assert covering.bound * model.scale <= best * (1 + 1e-9) + 1.0
    assert all(is_allowed(model, bundle) for bundle in covering.bundles)


def test_a_way_that_serves_nothing_counts_as_a_replica() -> None:
    """Where the least number of replicas is had for less with a way of unknown speed, the bound is below that."""
    ways = (a_way("h20", 3, 0.5), a_way("h20", 1, None))
    service = a_service("one", 8.0, ways, min_replicas=2, max_replicas=2)
    model = build(a_problem(service, pools=(a_pool("h20", nodes=1, node_devices=3, price=0),)))
    budget = Budget(gap=1e-6)
    exact = settle_money(model, Solver(model, Meter(budget)), {}, Meter(budget), is_large=False)
    large = settle_money(model, Solver(model, Meter(budget)), {}, Meter(budget), is_large=True)
    assert large.bound <= exact.value + 1e-6 * abs(exact.value)
    assert large.value == pytest.approx(exact.value)


@settings(max_examples=examples(40))
@given(problems())
def test_the_large_method_agrees_with_the_whole_programme(problem: Problem) -> None:
    """Its bound is below the best plan, its counts keep every row, and cost no less than what is best."""
    model = build(problem)
    budget = Budget(gap=1e-6)
    exact = settle_money(model, Solver(model, Meter(budget)), {}, Meter(budget), is_large=False)
    large = settle_money(model, Solver(model, Meter(budget)), {}, Meter(budget), is_large=True)
    slack = 1e-6 * max(1.0, abs(exact.value))
    assert large.bound <= exact.value + slack
    if large.x is not None:
        assert holds(model, large.x, money_setting(model, {}))
        assert large.value >= exact.value - slack


@cache
def middling() -> Plan:
    """The plan of the middling instance, made once for the tests that begin with it."""
    answer = plan(MIDDLING, ROUGH)
    assert isinstance(answer, Plan)
    return answer


def test_a_middling_instance_is_proven_to_the_gap_asked_for() -> None:
    """More columns than the whole programme is tried with: every rule is kept, the gap is proven, twice the same."""
    first = middling()
    assert build(MIDDLING).choices > LARGE
    assert first.status is Status.GAP
    assert faults(MIDDLING, first) == []
    assert repr(plan(MIDDLING, ROUGH)) == repr(first)


def test_after_a_death_no_more_is_started_than_was_lost_or_the_record_says_why() -> None:
    """A node dies: every rule is kept, moves are few, and the status is that of the gap it proved."""
    first = middling()
    hurt, lost = without_a_node(running(MIDDLING, first), first)
    again = plan(hurt, ROUGH, first)
    assert isinstance(again, Plan)
    assert faults(hurt, again) == []
    starts = sum(move.change for move in again.moves if move.change > 0)
    assert lost > 0
    assert starts <= lost or [why.facts["starts"] for why in again.more_starts] == [starts]
    assert (again.status is Status.CUT_SHORT) is (again.gap > ROUGH.gap)
    assert again.gap <= 1.5 * ROUGH.gap


def test_nothing_moves_when_nothing_happened() -> None:
    """Planned again from the last plan, all of it running: no move, and what was proven is still proven."""
    again = plan(running(MIDDLING, middling()), ROUGH, middling())
    assert isinstance(again, Plan)
    assert again.moves == ()
    assert again.gap <= ROUGH.gap


def test_more_starts_than_were_lost_are_named() -> None:
    """One replica of four a second is lost and four small ones take its place, as the record says."""
    pools = (a_pool("h20", nodes=2, node_devices=4), a_pool("ppu", nodes=1, node_devices=4))
    ways = (a_way("h20", 4, rate=4.0), a_way("ppu", 1, rate=1.0))
    problem = a_problem(a_service(demand=8.0, ways=ways, value=1000), pools=pools, tenants=(Tenant(name="a"),))
    first = plan(problem, Budget(gap=0.01))
    assert isinstance(first, Plan)
    ran = running(problem, first)
    hurt = replace(
        ran,
        pools=(replace(pools[0], nodes=1), pools[1]),
        running=tuple(replace(run, count=1) for run in ran.running if run.pool == pools[0].name),
    )
    again = plan(hurt, Budget(gap=0.01), first)
    assert isinstance(again, Plan)
    assert {each.way: each.count for each in again.replicas} == {"h20x4": 1, "ppux1": 4}
    (why,) = again.more_starts
    assert (why.code, why.facts["lost"], why.facts["starts"]) == (WhyCode.MORE_STARTS, 1, 4)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("wall_s", [0.0, 0.001])
def test_no_time_at_all_is_answered_and_said(wall_s: float) -> None:
    """With no wall time, or next to none: a plan that keeps every rule and says that it was cut short."""
    answer = plan(MIDDLING, Budget(wall_s=wall_s))
    assert isinstance(answer, Plan)
    assert faults(MIDDLING, answer) == []
    assert answer.status is Status.CUT_SHORT
    assert answer.work_used < 20_000
    hurt, _ = without_a_node(running(MIDDLING, answer), answer)
    again = plan(hurt, Budget(wall_s=wall_s), answer)
    assert isinstance(again, Plan)
    assert again.status is Status.CUT_SHORT


def test_how_near_an_option_is_is_what_covering_with_it_shows() -> None:
    """For each column: the least cost of a bundle with one of it less that of the best bundle, covered one part after the other."""
    model = build(a_middling())
    setting, linked = money_setting(model, {}), link(model)
    relaxed = Solver(model, Meter(Budget())).relax(setting)
    assert relaxed is not None
    duals = relaxed.duals[linked.rows]
    found = extras(model, setting, linked, duals)
    reduced = reduced_by(model, setting, linked, signed(setting, linked, duals))
    costs = np.maximum(reduced[: model.choices], 0.0)
    (table, *_) = tables(model, linked, reduced, linked.bundled, is_coarse=True)
    for work, worth in zip(table.works[:2], table.demand, strict=False):
        columns = range(linked.first[work], linked.first[work + 1])
        parts = {
            each: int(np.clip(np.ceil(linked.steps[each] * table.grid - 1e-9), 16, table.grid)) for each in columns
        }
        least = [0.0]
        for part in range(1, table.grid + 1):
            least.append(min(costs[each] + least[max(0, part - parts[each])] for each in columns))
        net = [cost - worth * part / table.grid for part, cost in enumerate(least)]
        for each in columns:
            with_it = min(
                costs[each] + least[max(0, part - parts[each])] - worth * part / table.grid
                for part in range(table.grid + 1)
            )
            assert found[each] == pytest.approx(with_it - min(net[0], *net), abs=1e-9)


def a_middling() -> Problem:
    """Without least numbers of replicas, so that one covering tells all."""
    return replace(MIDDLING, services=tuple(replace(each, min_replicas=0) for each in MIDDLING.services))


def test_where_few_demands_change_what_runs_is_adapted() -> None:
    """Three of 75 services ask for more: proven as before, everything served as before, and hardly anything else moves."""
    before = middling()
    runs = running(MIDDLING, before)
    short = {each.work for each in before.unmet}
    grown = [each.name for each in MIDDLING.services if each.name not in short][:3]
    asked = tuple(
        replace(each, demand_rps=each.demand_rps * 1.3) if each.name in grown else each for each in runs.services
    )
    now = replace(runs, services=asked)
    again = plan(now, ROUGH)
    assert isinstance(again, Plan)
    assert again.status is not Status.CUT_SHORT
    assert not faults(now, again)
    touched = {each.work for each in again.moves}
    assert len(touched) <= len(now.services) // 3
