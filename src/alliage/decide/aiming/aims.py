"""aims: the plan's programme solved for the fleet as it is: how many replicas of what, at which kind of nodes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.decide.aiming.kinds import Kind
from alliage.decide.aiming.outlook import Outlook, service_of, way_key
from alliage.decide.solve.answer import Assigned, Budget, Infeasible, Plan, Status, Unmet
from alliage.decide.solve.explain import explain
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.planner import plan as solve
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.replicas import Evidence, Recipe

GAP_MAX: Final = 0.25
"""A plan that was cut short and may be worse than the best by more is not carried out."""
EXPLAINED_MAX: Final = 3
"""Services newly short of something whose remedies are looked for in one solve: each is planned again several times."""
EXPLAINED_WALL_S: Final = 2.0
"""How long that may take where wall time is limited: what is to run waits for it. `explain` looks for more when asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """`count` replicas of a service by one way at one kind of nodes. The recipe's size is what a whole node of it has room for."""

    service: ServiceName
    kind: Kind
    way: str
    """Its name in the programme."""
    recipe: Recipe
    count: int
    rate_rps: float | None
    """What one of them carries; None where it is not known."""
    demand_rps: float
    """What the service is asked, all its aims together."""

    def allows(self, node: NodeId, recipe: Recipe) -> bool:
        """Whether a replica by this recipe at this node is one of those."""
        return way_key(recipe) == way_key(self.recipe) and node in self.kind.nodes and recipe.chip == self.recipe.chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What a service lacks by the plan: requests a second, replicas of its least number; why, and what would change it."""

    unmet: Unmet
    would_change: tuple[Why, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """What is to run, as the programme was last solved."""

    outlook: Outlook
    plan: Plan | Infeasible
    aims: Mapping[ServiceName, tuple[Aim, ...]]
    """A service that is here with no aim has no replica by the plan."""
    short: Mapping[ServiceName, Shortage]

    def suits(self, now: Outlook) -> bool:
        """Whether it can be carried out as things are: nothing but the amounts asked for has changed since."""
        return self.outlook is now or self.outlook.is_like(now)


def aim(now: Outlook, last: Aims | None, budget: Budget) -> Aims:
    """Solve the programme; from the last plan where only little has changed. Without any nodes nothing is aimed at."""
    problem = replace(now.problem, running=now.running)
    before = last.plan if last is not None and isinstance(last.plan, Plan) else None
    made = solve(problem, budget, before) if problem.pools else Infeasible(culprit="fleet", reason="no node takes work")
    if isinstance(made, Infeasible):
        return Aims(outlook=now, plan=made, aims={}, short={})
    if made.status is Status.CUT_SHORT and made.gap > GAP_MAX:
        made = _standing(now, made)
    kinds = {kind.name: kind for kind in now.kinds}
    asked: dict[ServiceName, float] = {}
    counts: dict[ServiceName, dict[tuple[str, str], int]] = {}
    for service in problem.services:
        name = service_of(service.name)
        asked[name] = asked.get(name, 0.0) + service.demand_rps
        counts.setdefault(name, {})
    for each in made.replicas:
        mine = counts[service_of(each.work)]
        mine[each.way, each.pool] = mine.get((each.way, each.pool), 0) + each.count
    aims = {
        name: tuple(
            Aim(
                service=name,
                kind=kinds[pool],
                way=way,
                recipe=now.ways[name, way].recipe,
                count=count,
                rate_rps=now.ways[name, way].rate_rps,
                demand_rps=asked[name],
            )
            for (way, pool), count in mine.items()
        )
        for name, mine in counts.items()
    }
    return Aims(outlook=now, plan=made, aims=aims, short=_short(problem, made, last, budget))


def _standing(now: Outlook, made: Plan) -> Plan:
    """A plan that proved next to nothing changes nothing: what runs stays, and a service without any gets one by its cheapest way."""
    counts = {(each.work, each.way, each.pool): each.count for each in now.running}
    prices = {pool.name: pool.price_micros for pool in now.problem.pools}
    having = {work for work, _, _ in counts}
    for ask in now.problem.services:
        usable = [way for way in ask.ways if way.evidence is not Evidence.FAILED]
        if ask.min_replicas and ask.name not in having and usable:
            way = min(usable, key=lambda way: (way.devices * prices[way.chip], way.name))
            counts[ask.name, way.name, way.chip] = 1
    replicas = tuple(
        Assigned(work=work, way=way, pool=pool, count=count, devices=now.ways[service_of(work), way].units)
        for (work, way, pool), count in sorted(counts.items())
    )
    return replace(made, replicas=replicas, unmet=(), warm=None)


def _short(problem: Problem, made: Plan, last: Aims | None, budget: Budget) -> dict[ServiceName, Shortage]:
    """What services lack. What would change it is looked for once, when a service begins to lack something."""
    known = last.short if last is not None else {}
    short: dict[ServiceName, Shortage] = {}
    looked, meter = 0, Meter(_limited(budget, EXPLAINED_WALL_S))
    for unmet in made.unmet:
        name = service_of(unmet.work)
        if name in short:  # its first replica is missing, and so are the others
            first = short[name].unmet
            both = replace(first, missing_replicas=first.missing_replicas + unmet.missing_replicas)
            short[name] = replace(short[name], unmet=both)
            continue
        changes: tuple[Why, ...] = ()
        if name in known:
            changes = known[name].would_change
        elif looked < EXPLAINED_MAX:
            looked += 1
            told = explain(problem, made, unmet.work, meter.budget, is_late=lambda: meter.left_s <= 0).would_change
            changes = tuple(of_service(each.why, made) for each in told)
        because = tuple(of_service(why, made) for why in unmet.because)
        short[name] = Shortage(unmet=replace(unmet, work=name, because=because), would_change=changes)
    return short


def of_service(why: Why, made: Plan) -> Why:
    """A reason told of a service's first replica or of its others, as one of the service: its name, and all that it has there."""
    if "work" not in why.facts:
        return why
    name = service_of(str(why.facts["work"]))
    facts = {**why.facts, "work": name}
    if why.code is WhyCode.DEVICES_FULL:
        facts["own"] = sum(
            each.count * each.devices
            for each in made.replicas
            if service_of(each.work) == name and each.pool == why.facts["pool"]
        )
    return replace(why, facts=facts)


def _limited(budget: Budget, wall_s: float) -> Budget:
    return budget if budget.wall_s is None else replace(budget, wall_s=min(budget.wall_s, wall_s))
