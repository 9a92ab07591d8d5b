"""Tiny problems against every plan there is: the stages come out as they are defined."""

import itertools
from collections.abc import Iterator

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alliage.decide.solve.answer import Budget, Plan, Stage
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import JobAsk, Problem, ServiceAsk
from tests.conftest import examples
from tests.decide.solve.builders import UNIT, a_job, a_pool, a_problem, a_service, a_way

SIZES = (1, 2, 4)
TOLERANCE = 0.01


@st.composite
def tiny(draw: st.DrawFn) -> Problem:
    """One or two tenants, three options at most, power-of-two gangs, stated values, no least replicas."""
    tenants = draw(st.sampled_from((("a", "a", "a"), ("a", "b", "a"))))
    works: list[ServiceAsk | JobAsk] = []
    for number in range(draw(st.integers(1, 3))):
        chip = draw(st.sampled_from(("ppu", "h20")))
        way = a_way(chip, draw(st.sampled_from(SIZES)), draw(st.sampled_from((1.0, 2.0, 3.5))))
        value = draw(st.sampled_from((3, 20, 90)))
        if draw(st.booleans()):
            demand = draw(st.sampled_from((1.0, 4.0, 7.0)))
            works.append(a_service(f"s{number}", demand, (way,), tenant=tenants[number], value=value, max_replicas=4))
        else:
            works.append(a_job(f"j{number}", draw(st.integers(1, 3)), (way,), tenant=tenants[number], value=value))
    pools = tuple(
        a_pool(chip, nodes=draw(st.integers(0, 2)), node_devices=4, price=draw(st.integers(0, 4)))
        for chip in ("ppu", "h20")
    )
    return a_problem(*works, pools=pools)


def every_plan(problem: Problem) -> Iterator[tuple[int, ...]]:
    """Counts of each work (each has one way) that fit: slots of powers of two on nodes of four."""
    works = problem.works
    pools = {pool.chip: pool for pool in problem.pools}
    most = [
        min(
            pools[work.ways[0].chip].devices // work.ways[0].devices,
            work.count if isinstance(work, JobAsk) else work.max_replicas,
        )
        for work in works
    ]
    for counts in itertools.product(*(range(each + 1) for each in most)):
        taken = dict.fromkeys(pools, 0)
        for work, count in zip(works, counts, strict=True):
            taken[work.ways[0].chip] += work.ways[0].devices * count
        if all(taken[chip] <= pool.devices for chip, pool in pools.items()):
            yield counts


def served(problem: Problem, counts: tuple[int, ...]) -> dict[str, float]:
    """Of each tenant's work, by its values, the part that is served."""
    total: dict[str, float] = {}
    done: dict[str, float] = {}
    for work, count in zip(problem.works, counts, strict=True):
        value = (work.value_micros or 0) * (work.count if isinstance(work, JobAsk) else 1)
        total[work.tenant] = total.get(work.tenant, 0.0) + value
        done[work.tenant] = done.get(work.tenant, 0.0) + value * part(work, count)
    return {tenant: done[tenant] / total[tenant] for tenant in total}


def part(work: ServiceAsk | JobAsk, count: int) -> float:
    """How much of a work so many serve."""
    if isinstance(work, JobAsk):
        return count / work.count
    rate = work.ways[0].rate or 0.0
    return min(1.0, rate * count / work.demand_rps)


def money(problem: Problem, counts: tuple[int, ...]) -> float:
    """Devices and what is not served, in micros an hour."""
    prices = {pool.chip: pool.price_micros for pool in problem.pools}
    cost = 0.0
    for work, count in zip(problem.works, counts, strict=True):
        value = (work.value_micros or 0) * (work.count if isinstance(work, JobAsk) else 1)
        cost += count * work.ways[0].devices * prices[work.ways[0].chip] + value * (1 - part(work, count))
    return cost


@settings(max_examples=examples(100))
@given(tiny())
def test_stages_are_the_best_of_all_plans(problem: Problem) -> None:
    """The common part of the levels is the largest of any plan, and no plan with these floors is cheaper."""
    assume(len(problem.works) > 0)
    answer = plan(problem, Budget(gap=1e-6))
    assert isinstance(answer, Plan)
    levels = {share.tenant: share.level for share in answer.shares}
    plans = list(every_plan(problem))

    def reached(counts: tuple[int, ...]) -> float:
        parts = served(problem, counts)
        return min((min(1.0, parts[each] / level) for each, level in levels.items() if level > 1e-6), default=1.0)

    best = max(reached(counts) for counts in plans)
    share = next(result for result in answer.stages if result.stage is Stage.SHARE)
    assert abs(share.value - best) < 1e-5
    allowed = [counts for counts in plans if reached(counts) >= best * (1 - TOLERANCE) - 1e-5]
    cheapest = min(money(problem, counts) for counts in allowed)
    result = next(result for result in answer.stages if result.stage is Stage.MONEY)
    assert result.value <= cheapest + 1e-5 * UNIT + 1e-6 * cheapest
    assert result.bound <= cheapest * (1 + 1e-6) + 1.0


@settings(max_examples=examples(50))
@given(tiny())
def test_one_tenants_level_is_what_divisible_work_reaches(problem: Problem) -> None:
    """With one tenant the level is no less than what whole replicas reach, and its price interval holds the dual."""
    answer = plan(problem, Budget(gap=1e-6))
    assert isinstance(answer, Plan)
    if len(answer.shares) == 1:
        best = max(served(problem, counts)["a"] for counts in every_plan(problem))
        assert answer.shares[0].level >= best - 1e-6
    for price in answer.prices:
        assert price.list_micros <= price.low_micros <= price.price_micros <= price.high_micros
