"""The safety properties of the house that a plan must keep, each by name, over generated problems."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.decide.solve.answer import Budget, Infeasible, Plan, Status
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import Guarantee, JobAsk, Pool, Problem, Running, Site, Tenant, Way
from tests.conftest import examples
from tests.decide.solve.builders import problems
from tests.decide.solve.checker import faults, takeable

MANY = settings(max_examples=examples(50))
SOME = settings(max_examples=examples(25))
EXACT = Budget(gap=1e-6)


def planned(problem: Problem, budget: Budget = EXACT) -> Plan:
    """The plan, which must be one."""
    answer = plan(problem, budget)
    assert isinstance(answer, Plan)
    return answer


def running(problem: Problem, answer: Plan) -> Problem:
    """The problem when the plan runs; what is not preemptible is held."""
    runs = tuple(Running(work=each.work, way=each.way, pool=each.pool, count=each.count) for each in answer.assigned)
    return replace(problem, running=runs)


@MANY
@given(problems())
def test_capacity_gangs_residency_limits_and_budgets_are_kept(problem: Problem) -> None:
    """Properties 1, 2 and 4: a checker that shares no code packs every gang into nodes and finds nothing wrong."""
    assert faults(problem, planned(problem)) == []


@MANY
@given(problems())
def test_fixed_point(problem: Problem) -> None:
    """Property 6: planning again from the plan, when it runs, changes nothing."""
    first = planned(problem)
    again = planned(running(problem, first))
    assert again.moves == ()


@MANY
@given(problems())
def test_guarantee_given_or_obstacle_named(problem: Problem) -> None:
    """Property 5: a tenant with work missing and a guarantee not used up has its obstacle named."""
    answer = planned(problem)
    pools = {pool.name: pool for pool in problem.pools}
    works = {work.name: work for work in problem.works}
    named = {(each.tenant, each.chips, each.site, each.work) for each in answer.unkept}
    for tenant in problem.tenants:
        for right in tenant.guarantees:
            used = sum(
                each.count * each.devices
                for each in answer.assigned
                if works[each.work].tenant == tenant.name and right.covers(pools[each.pool])
            )
            for lack in answer.unmet:
                covered = [
                    pool
                    for pool in problem.pools
                    if pool.nodes and right.covers(pool) and any(way.chip == pool.chip for way in works[lack.work].ways)
                ]
                if lack.tenant == tenant.name and used < right.devices and covered:
                    is_full = any(str(why.code) in {"replicas_max", "all_run"} for why in lack.because)
                    assert is_full or (tenant.name, right.chips, right.site, lack.work) in named


def test_work_that_is_worth_nothing_has_that_as_its_obstacle() -> None:
    """Found by the property above: free devices, a guarantee, and a job worth 0 beside one of unknown speed."""
    unknown = Way(name="w0", chip="ppu", devices=1, rate=None)
    known = (Way(name="w0", chip="ppu", devices=3, rate=1.0), Way(name="w1", chip="ppu", devices=1, rate=0.5))
    jobs = (
        JobAsk(name="j0", tenant="b", count=1, ways=(unknown,), is_preemptible=False, value_micros=5_000_000),
        JobAsk(name="j3", tenant="b", count=1, ways=known, is_preemptible=False, value_micros=0),
    )
    answer = planned(
        Problem(
            sites=(Site(name="ulm"),),
            pools=(Pool(name="p", site="ulm", chip="ppu", node_devices=3, nodes=1),),
            tenants=(Tenant(name="b", guarantees=(Guarantee(chips=frozenset({"ppu"}), devices=3),)),),
            jobs=jobs,
        )
    )
    named = {each.work: {str(why.code) for why in each.because} for each in answer.unkept}
    assert named == {"j0": {"rate_unknown"}, "j3": {"not_worth"}}


@SOME
@given(problems())
def test_whatever_is_missing_has_its_reason(problem: Problem) -> None:
    """No work is left short without a word."""
    for lack in planned(problem).unmet:
        assert lack.because or not any(pool.nodes for pool in problem.pools)


@SOME
@given(problems(), st.integers(0, 3))
def test_same_problem_same_answer(problem: Problem, seed: int) -> None:
    """Property 10: the same seed gives the same plan, whatever was solved before."""
    budget = Budget(seed=seed)
    assert repr(plan(problem, budget)) == repr(plan(problem, budget))


@SOME
@given(problems(), st.integers(0, 40))
def test_an_answer_cut_short_is_safe_and_says_so(problem: Problem, work: int) -> None:
    """With next to no budget the plan keeps every rule, and never claims to be the best without proof."""
    answer = plan(problem, Budget(work=work, gap=1e-6))
    assert isinstance(answer, Plan)
    assert faults(problem, answer) == []
    assert answer.status is not Status.OPTIMAL or answer.gap <= 1e-6


@MANY
@given(problems(), st.integers(0, 2))
def test_what_is_held_stays(problem: Problem, fewer: int) -> None:
    """Jobs that may not be taken away are there in the next plan, or the problem is refused by name."""
    first = planned(problem)
    held = running(problem, first)
    pools = tuple(replace(pool, nodes=max(0, pool.nodes - fewer)) for pool in held.pools)
    answer = plan(replace(held, pools=pools), EXACT)
    if isinstance(answer, Infeasible):
        assert fewer
        assert answer.culprit in {pool.name for pool in pools} | {work.name for work in problem.works}
        return
    works = {work.name: work for work in problem.works}
    stands = {(each.work, each.way, each.pool): each.count for each in answer.assigned}
    for run in held.running:
        work = works[run.work]
        if isinstance(work, JobAsk) and not work.is_preemptible:
            assert stands.get((run.work, run.way, run.pool), 0) >= run.count


@settings(max_examples=examples(60))
@given(problems())
def test_no_guaranteed_work_waits_for_borrowed_devices(problem: Problem) -> None:
    """Fairness: taking what others borrowed and may be taken from them would serve no guaranteed work that is missing."""
    first = planned(problem)
    assert takeable(problem, first) == []
    again = running(problem, first)
    assert takeable(again, planned(again)) == []
