"""aims: the plan's programme solved for the fleet as it is: how many replicas of what, at which kind of nodes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.decide.aiming.kinds import Kind
from alliage.decide.aiming.outlook import Outlook, way_key
from alliage.decide.solve.answer import Budget, Infeasible, Plan, Unmet
from alliage.decide.solve.explain import explain
from alliage.decide.solve.planner import plan as solve
from alliage.decide.solve.reasons import Why
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.replicas import Recipe

EXPLAINED_MAX: Final = 3
"""Services newly short of something whose remedies are looked for in one solve: each is planned again several times."""


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
        return self.outlook is now or self.outlook.shape == now.shape


def aim(now: Outlook, last: Aims | None, budget: Budget) -> Aims:
    """Solve the programme; from the last plan where only little has changed. Without any nodes nothing is aimed at."""
    problem = replace(now.problem, running=now.running)
    before = last.plan if last is not None and isinstance(last.plan, Plan) else None
    made = solve(problem, budget, before) if problem.pools else Infeasible(culprit="fleet", reason="no node takes work")
    if isinstance(made, Infeasible):
        return Aims(outlook=now, plan=made, aims={}, short={})
    kinds = {kind.name: kind for kind in now.kinds}
    asked = {each.name: each.demand_rps for each in problem.services}
    aims: dict[ServiceName, list[Aim]] = {ServiceName(each.name): [] for each in problem.services}
    for each in made.replicas:
        way = now.ways[ServiceName(each.work), each.way]
        aims[ServiceName(each.work)].append(
            Aim(
                service=ServiceName(each.work),
                kind=kinds[each.pool],
                way=each.way,
                recipe=way.recipe,
                count=each.count,
                rate_rps=way.rate_rps,
                demand_rps=asked[each.work],
            )
        )
    known = last.short if last is not None else {}
    short: dict[ServiceName, Shortage] = {}
    looked = 0
    for unmet in made.unmet:
        name = ServiceName(unmet.work)
        changes: tuple[Why, ...] = ()
        if name in known:
            changes = known[name].would_change
        elif looked < EXPLAINED_MAX:
            looked += 1
            told = explain(problem, made, unmet.work, budget)
            changes = tuple(tried.why for tried in told.would_change)
        short[name] = Shortage(unmet=unmet, would_change=changes)
    return Aims(outlook=now, plan=made, aims={name: tuple(each) for name, each in aims.items()}, short=short)
