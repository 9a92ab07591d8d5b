"""explain: why a work stands where it stands, what else was possible, and the smallest changes that would alter it.

Every change that is named was tried: the problem with it was planned, and what is said came of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from alliage.decide.solve.answer import Assigned, Budget, Plan, PoolPrice, Status, Unmet
from alliage.decide.solve.changes import AddNodes, AllowSite, Change, SetBudget, SetReplicasMax, apply
from alliage.decide.solve.obstacles import hindrance
from alliage.decide.solve.options import full_rate, options_of, refusal, step_of
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import JobAsk, Problem, ServiceAsk, Way
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.decide.solve.standing import Missing, Standing, missing_of, standing
from alliage.errors import NotFound

TRIES_MAX: Final = 12
"""Changes that are tried for one work."""
NODES_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A change and what it does, as a reason."""

    change: Change
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Of one work: why what was chosen, why nothing else, what it lacks, and what would change that."""

    work: str
    chosen: tuple[Why, ...]
    rejected: tuple[Why, ...]
    lacks: Unmet | None
    would_change: tuple[Tried, ...]
    is_cut_short: bool = False
    """Not every change could be tried to its end: there may be more."""


@dataclass(slots=True)
class _Trials:
    """Plans what would be, each within `budget`, until it is late."""

    budget: Budget | None
    is_late: Callable[[], bool]
    is_cut_short: bool = False

    def plan(self, changed: Problem) -> Plan | None:
        """The plan of a changed problem; None where there is none, or no time for it."""
        if self.is_late():
            self.is_cut_short = True
            return None
        answer = plan(changed, self.budget)
        if not isinstance(answer, Plan):
            return None
        self.is_cut_short = self.is_cut_short or answer.status is Status.CUT_SHORT
        return answer


def _never() -> bool:
    return False


def explain(
    problem: Problem,
    answer: Plan,
    name: str,
    budget: Budget | None = None,
    *,
    is_late: Callable[[], bool] = _never,
) -> Explanation:
    """Explain one work of a plan; raises NotFound where there is none of that name.

    `budget` is for each change that is tried; before each of them `is_late` is asked whether to stop.
    """
    work = next((index for index, each in enumerate(problem.works) if each.name == name), None)
    if work is None:
        known = ", ".join(each.name for each in problem.works[:12]) or "none"
        raise NotFound(f"there is no service or job {name!r}", remedy=f"there are: {known}")
    place = standing_of(problem, answer)
    lacks = next((each for each in answer.unmet if each.work == name), None)
    costs = _costs(problem, work, {price.pool: price for price in answer.prices})
    mine = [each for each in answer.assigned if each.work == name]
    trials = _Trials(budget, is_late)
    tried = tuple(_remedies(problem, place, work, lacks, trials) if lacks else _losses(problem, mine, name, trials))
    return Explanation(
        work=name,
        chosen=tuple(_chosen(place, work, each, costs) for each in mine),
        rejected=tuple(_rejected(problem, place, work, mine, costs)),
        lacks=lacks,
        would_change=tried,
        is_cut_short=trials.is_cut_short,
    )


def standing_of(problem: Problem, answer: Plan) -> Standing:
    """What a plan comes to, to be looked at."""
    counts = {(each.work, each.way, each.pool): each.count for each in answer.assigned}
    options = options_of(problem)
    named = [(problem.works[option.work].name, option.way.name, problem.pools[option.pool].name) for option in options]
    return standing(problem, options, (counts.get(key, 0) for key in named))


Costs = Mapping[tuple[str, str], float]
"""(way, pool) -> micros an hour of the whole work there, at today's prices."""


def _costs(problem: Problem, work: int, prices: Mapping[str, PoolPrice]) -> dict[tuple[str, str], float]:
    ask = problem.works[work]
    full = full_rate(ask)
    costs: dict[tuple[str, str], float] = {}
    for way in ask.ways:
        step = step_of(ask, way, full)
        for pool in problem.pools:
            if step > 0 and pool.nodes and refusal(problem, ask, way, pool) is None:
                each = prices[pool.name].price_micros if pool.name in prices else pool.price_micros
                costs[way.name, pool.name] = each * way.devices / step
    return costs


def _chosen(place: Standing, work: int, each: Assigned, costs: Costs) -> Why:
    problem, here = place.problem, (each.way, each.pool)
    facts: dict[str, str | int | float] = {"way": each.way, "pool": each.pool, "count": each.count}
    cost = costs.get(here)
    if cost is not None:
        facts["cost_micros"] = round(cost)
    if len(costs) <= 1:
        return Why(code=WhyCode.ONLY_WAY, facts=facts)
    if cost is not None and cost <= min(costs.values()) * (1 + 1e-9):
        return Why(code=WhyCode.CHEAPEST, facts=facts)
    if any((run.work, run.way, run.pool) == (each.work, *here) for run in problem.running):
        return Why(code=WhyCode.RUNS_THERE, facts=facts)
    roomy = next((key for key in sorted(costs, key=costs.__getitem__) if _has_room(place, work, *key)), None)
    if cost is None or roomy is None or costs[roomy] >= cost:
        return Why(code=WhyCode.NEXT_BEST, facts=facts)
    return Why(code=WhyCode.WHOLE_REPLICAS, facts={**facts, "than": roomy[0], "than_pool": roomy[1]})


def _has_room(place: Standing, work: int, way: str, pool: str) -> bool:
    """Whether one more could stand there."""
    problem = place.problem
    found = next(each for each in problem.works[work].ways if each.name == way)
    number = next(index for index, each in enumerate(problem.pools) if each.name == pool)
    return hindrance(place, work, found, number, Missing(amount=1.0, replicas=0)) is None


def _rejected(problem: Problem, place: Standing, work: int, mine: list[Assigned], costs: Costs) -> Iterator[Why]:
    """Every other way and pool, and why not."""
    ask = problem.works[work]
    taken = {(each.way, each.pool) for each in mine}
    best = min((costs[key] for key in taken if key in costs), default=None)
    for way in ask.ways:
        if all(pool.chip != way.chip or not pool.nodes for pool in problem.pools):
            yield Why(code=WhyCode.UNAVAILABLE, facts={"work": ask.name, "way": way.name, "chip": way.chip})
        for number, pool in enumerate(problem.pools):
            if pool.chip != way.chip or not pool.nodes or (way.name, pool.name) in taken:
                continue
            why = _against(place, work, way, number, costs, best)
            if why is not None:
                yield why


def _against(  # noqa: PLR0917 - an option, and what it is measured by
    place: Standing, work: int, way: Way, number: int, costs: Costs, best: float | None
) -> Why | None:
    pool = place.problem.pools[number]
    cost = costs.get((way.name, pool.name))
    if cost is not None and best is not None and cost > best:
        facts: dict[str, str | int | float] = {"way": way.name, "pool": pool.name, "worse_micros": round(cost - best)}
        return Why(code=WhyCode.DEARER, facts=facts)
    return hindrance(place, work, way, number, Missing(amount=1.0, replicas=0))


def _remedies(problem: Problem, place: Standing, work: int, lacks: Unmet, trials: _Trials) -> Iterator[Tried]:
    """The changes that were tried and serve more of the work, smallest first."""
    before = missing_of(place, work)
    for change in list(_candidates(problem, place, work, lacks))[:TRIES_MAX]:
        after = _missing_after(problem, change, work, trials)
        if after is None or (after.amount >= before.amount and after.replicas >= before.replicas):
            continue
        yield Tried(change=change, why=_said(problem, change, work, before, after))


def _missing_after(problem: Problem, change: Change, work: int, trials: _Trials) -> Missing | None:
    changed = apply(problem, change)
    answer = trials.plan(changed)
    return missing_of(standing_of(changed, answer), work) if answer is not None else None


def _candidates(problem: Problem, place: Standing, work: int, lacks: Unmet) -> Iterator[Change]:
    """What could help: replicas, budget, sites, then nodes of every pool by any way, one, and as many as it takes."""
    ask = problem.works[work]
    tenant = next(each for each in problem.tenants if each.name == ask.tenant)
    rates = [way.rate for way in ask.ways if way.rate]
    if isinstance(ask, ServiceAsk) and any(why.code is WhyCode.REPLICAS_MAX for why in lacks.because) and rates:
        more = int(min(1e6, -(-lacks.missing // max(rates)))) or 1
        yield SetReplicasMax(work=ask.name, max_replicas=ask.max_replicas + max(1, more))
    if tenant.budget_micros is not None:
        costs = [pool.price_micros * way.devices for way in ask.ways for pool in problem.pools if pool.chip == way.chip]
        spent = place.spent_micros(tenant.name)
        if costs:
            yield SetBudget(tenant=tenant.name, budget_micros=max(tenant.budget_micros, spent) + min(costs))
    for site in problem.sites:
        if not site.keeps(ask.residency):
            yield AllowSite(work=ask.name, site=site.name)
    helpful = [pool for pool in problem.pools if any(_helps(problem, ask, way, pool.name) for way in ask.ways)]
    for pool in sorted(helpful, key=lambda pool: (pool.price_micros * pool.node_devices, pool.name)):
        yield AddNodes(pool=pool.name, nodes=1)
    for pool in helpful:
        nodes = max(
            (_nodes_for(ask, way, lacks.missing, pool.node_devices) for way in ask.ways if way.chip == pool.chip),
            default=1,
        )
        if 1 < nodes <= NODES_MAX:
            yield AddNodes(pool=pool.name, nodes=nodes)


def _helps(problem: Problem, ask: ServiceAsk | JobAsk, way: Way, name: str) -> bool:
    pool = next(pool for pool in problem.pools if pool.name == name)
    return refusal(problem, ask, way, pool) is None


def _nodes_for(ask: ServiceAsk | JobAsk, way: Way, missing: float, node_devices: int) -> int:
    """Nodes that would serve what is missing by this way alone."""
    each = 1.0 if isinstance(ask, JobAsk) else way.rate or 0.0
    if each <= 0:
        return 1
    gangs = -(-missing // each)
    if way.devices > node_devices:
        return int(min(NODES_MAX + 1, gangs * (way.devices // node_devices)))
    return int(min(NODES_MAX + 1, -(-gangs // (node_devices // way.devices))))


def _said(problem: Problem, change: Change, work: int, before: Missing, after: Missing) -> Why:
    name = problem.works[work].name
    effect: dict[str, str | int | float] = {
        "work": name,
        "kind": "jobs" if isinstance(problem.works[work], JobAsk) else "rps",
        "serves": round(before.amount - after.amount, 6),
        "left": round(after.amount, 6),
        "replicas": before.replicas - after.replicas,
    }
    match change:
        case AddNodes():
            pool = next(pool for pool in problem.pools if pool.name == change.pool)
            effect |= {"pool": pool.name, "site": pool.site, "chip": pool.chip, "nodes": change.nodes}
            return Why(code=WhyCode.ADD_NODES, facts=effect)
        case AllowSite():
            return Why(code=WhyCode.ALLOW_SITE, facts={"site": change.site, **effect})
        case SetBudget():
            effect |= {"tenant": change.tenant, "budget_micros": change.budget_micros}
            return Why(code=WhyCode.RAISE_BUDGET, facts=effect)
        case SetReplicasMax():
            return Why(code=WhyCode.RAISE_REPLICAS_MAX, facts={"max_replicas": change.max_replicas, **effect})


def _losses(problem: Problem, mine: list[Assigned], name: str, trials: _Trials) -> Iterator[Tried]:
    """For a work that lacks nothing: what would become of it with a node less where it stands."""
    work = next(index for index, each in enumerate(problem.works) if each.name == name)
    for place in sorted({each.pool for each in mine})[:TRIES_MAX]:
        change = AddNodes(pool=place, nodes=-1)
        changed = apply(problem, change)
        answer = trials.plan(changed)
        if answer is None:
            continue
        pool = next(pool for pool in problem.pools if pool.name == place)
        after = {(each.way, each.pool): each.count for each in answer.assigned if each.work == name}
        before = {(each.way, each.pool): each.count for each in mine}
        if after == before:
            continue
        missing = missing_of(standing_of(changed, answer), work)
        gains = sorted(key for key, count in after.items() if count > before.get(key, 0))
        facts: dict[str, str | int | float] = {
            "pool": pool.name,
            "site": pool.site,
            "chip": pool.chip,
            "nodes": 1,
            "work": name,
            "instead": ", ".join(f"{way} in {there}" for way, there in gains),
            "missing": round(missing.amount, 6),
        }
        yield Tried(change=change, why=Why(code=WhyCode.LOSE_NODES, facts=facts))
