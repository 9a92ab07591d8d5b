"""Explanations are true: what they name is what happens."""

import pytest
from hypothesis import given, settings

from alliage.decide.solve.answer import Budget, Plan
from alliage.decide.solve.changes import AddNodes, apply
from alliage.decide.solve.explain import explain
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import JobAsk, Problem, Tenant
from alliage.decide.solve.reasons import WhyCode
from alliage.errors import NotFound
from tests.conftest import examples
from tests.decide.solve.builders import UNIT, a_pool, a_problem, a_service, a_way, problems

EXACT = Budget(gap=1e-6)


def planned(problem: Problem) -> Plan:
    """The plan, which must be one."""
    answer = plan(problem, EXACT)
    assert isinstance(answer, Plan)
    return answer


def served(problem: Problem, answer: Plan, name: str) -> float:
    """Requests a second or jobs at full speed that a plan serves of one work; counted here, not there."""
    work = next(each for each in problem.works if each.name == name)
    rates = {way.name: way.rate or 0.0 for way in work.ways}
    total = sum(rates[each.way] * each.count for each in answer.assigned if each.work == name)
    if isinstance(work, JobAsk):
        full = max((way.rate or 0.0 for way in work.ways if str(way.evidence) != "failed"), default=0.0)
        if work.deadline_s is not None and work.remaining:
            full = work.remaining / work.deadline_s * 3600
        return sum(min(1.0, rates[each.way] / full) * each.count for each in answer.assigned if each.work == name)
    return min(work.demand_rps, total)


@settings(max_examples=examples(15))
@given(problems(works_max=3))
def test_named_changes_do_what_they_say(problem: Problem) -> None:
    """Apply the change, plan again: so much more of the work is served as was said, and so much is still missing."""
    answer = planned(problem)
    for lack in answer.unmet[:2]:
        before = served(problem, answer, lack.work)
        for tried in explain(problem, answer, lack.work, EXACT).would_change:
            changed = apply(problem, tried.change)
            after = served(changed, planned(changed), lack.work)
            if "serves" in tried.why.facts:
                assert abs(after - before - float(tried.why.facts["serves"])) < 1e-5


def test_one_more_node_would_serve_the_missing_requests() -> None:
    """The sentence of the house: one more PPU node at paris-1 would serve what is missing."""
    problem = a_problem(a_service(demand=22.0, ways=(a_way(rate=2.0),)), pools=(a_pool(),))
    answer = planned(problem)
    explanation = explain(problem, answer, "chat", EXACT)
    assert explanation.lacks is not None
    assert explanation.lacks.missing == 6.0
    first = explanation.would_change[0]
    assert first.change == AddNodes(pool="paris-1-ppu-8", nodes=1)
    assert first.why.code is WhyCode.ADD_NODES
    assert (first.why.facts["serves"], first.why.facts["left"]) == (6.0, 0.0)


def test_the_cheapest_is_chosen_and_the_others_are_dearer_by_so_much() -> None:
    """Three units an hour against four: chosen for its cost, the other told by the difference."""
    pools = (a_pool("ppu", price=3), a_pool("h20", price=4))
    ways = (a_way("ppu", rate=4.0), a_way("h20", rate=4.0))
    problem = a_problem(a_service(ways=ways), pools=pools)
    explanation = explain(problem, planned(problem), "chat", EXACT)
    assert [why.code for why in explanation.chosen] == [WhyCode.CHEAPEST]
    (dearer,) = explanation.rejected
    assert dearer.code is WhyCode.DEARER
    assert dearer.facts["worse_micros"] == UNIT


def test_a_budget_that_binds_is_named_and_so_is_the_one_that_would_do() -> None:
    """With a budget of one device-hour the reason is the budget, and the change a larger one."""
    tenants = (Tenant(name="a", budget_micros=UNIT),)
    problem = a_problem(a_service(demand=2.0), tenants=tenants)
    answer = planned(problem)
    assert answer.unmet[0].because[0].code is WhyCode.BUDGET
    tried = explain(problem, answer, "chat", EXACT).would_change[0]
    assert tried.why.code is WhyCode.RAISE_BUDGET
    assert tried.why.facts["budget_micros"] == 2 * UNIT


def test_residency_is_named_with_the_site_that_it_would_take() -> None:
    """A German service on a French fleet: allowing the site would serve it."""
    problem = a_problem(a_service(residency=frozenset({"de"})))
    answer = planned(problem)
    assert [why.code for why in answer.unmet[0].because] == [WhyCode.RESIDENCY]
    tried = explain(problem, answer, "chat", EXACT).would_change
    assert [each.why.code for each in tried] == [WhyCode.ALLOW_SITE]


def test_losing_the_node_says_where_the_work_would_go() -> None:
    """A served work is told what would become of it with a node less: another chip takes it."""
    pools = (a_pool("ppu", price=3), a_pool("h20", price=4))
    ways = (a_way("ppu", rate=4.0), a_way("h20", rate=4.0))
    problem = a_problem(a_service(ways=ways), pools=pools)
    (tried,) = explain(problem, planned(problem), "chat", EXACT).would_change
    assert tried.why.code is WhyCode.LOSE_NODES
    assert tried.why.facts["instead"] == "h20x1 in paris-1-h20-8"
    assert tried.why.facts["missing"] == 0.0


def test_unknown_work_is_refused_with_the_ones_there_are() -> None:
    """A mistyped name is answered with the names."""
    problem = a_problem(a_service())
    with pytest.raises(NotFound, match="chat"):
        explain(problem, planned(problem), "chta")
