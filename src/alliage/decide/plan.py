"""plan: what is aimed at and the room there is -> the replicas to add and to give back. At every pass; pure.

What is aimed at is `aiming`'s: the plan's programme, solved minutes apart or on a change. Without it a service gets its
least number of replicas by the first recipe that fits, oldest service first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from alliage.catalog.records import Catalog
from alliage.decide.aiming.aims import Aim, Aims
from alliage.decide.aiming.kinds import is_open
from alliage.decide.carrying import Promise
from alliage.decide.choice import Choice, choose
from alliage.decide.cordons import uncordoning, why_closed, with_cordons
from alliage.decide.homes import homeless, waiting
from alliage.decide.option import label
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.reckoning import Reckoner
from alliage.decide.room import Room
from alliage.decide.shortages import refused_by_plan, shortage
from alliage.decide.sites import Sites
from alliage.decide.solve.answer import Plan as Solved
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


class Status(StrEnum):
    """How far the solve got."""

    OPTIMAL = "optimal"
    CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many replicas may be placed; the others wait for the next plan. Counted, so that the same input gives the same answer."""

    replicas: int

    @classmethod
    def unlimited(cls) -> "Budget":
        """More than any fleet needs."""
        return cls(replicas=1 << 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReplicas:
    """So many more replicas of a service by a recipe at a node."""

    service: ServiceName
    recipe: Recipe
    node: NodeId
    count: int
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """So many replicas are aimed at and find no room yet: something has to leave first."""

    aim: Aim
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be added and given back. Services that could not be served are in `unserved` with their decision."""

    status: Status
    add: tuple[PlannedReplicas, ...]
    surplus: tuple[ReplicaId, ...]
    """Those that are not wanted any more, in the order in which they may go."""
    unserved: tuple[ServiceName, ...]
    decisions: tuple[Decision, ...]
    blocked: tuple[Blocked, ...] = ()
    idle: tuple[ServiceName, ...] = ()
    """Services that want no replica now."""
    postponed: frozenset[ServiceName] = frozenset()
    """Services with replicas that were not looked for any more, because the budget was used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """No plan exists: nothing is to be changed. The decisions name the culprit, one for each service that waits."""

    unserved: tuple[ServiceName, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    """Replicas that a service lacks: of an aim, or (None) of its least number."""

    service: Service
    aim: Aim | None
    count: int


def plan(
    view: FleetView,
    catalog: Catalog,
    *,
    now_s: float,
    budget: Budget,
    aims: Aims | None = None,
    reckoner: Reckoner | None = None,
) -> Plan | Infeasible:
    """The replicas that bring every service to what is aimed at, as far as there is room for them.

    A service of which `aims` says nothing yet waits for the next ones; where no aims could be found at all, each has its
    least number. What runs on nodes that are lost, or take nothing new, is left alone. A service that may live only where
    no node is waits. A `reckoner` remembers what was reckoned before.
    """
    without = homeless(view)
    if not without:
        return _plan(view, catalog, now_s, budget=budget, aims=aims, reckoner=reckoner)
    others = replace(view, services=tuple(service for service in view.services if service not in without))
    made = _plan(others, catalog, now_s, budget=budget, aims=aims, reckoner=reckoner)
    return replace(
        made,
        unserved=(*made.unserved, *(service.name for service in without)),
        decisions=(*made.decisions, *waiting(without, view, now_s)),
    )


def _plan(
    view: FleetView,
    catalog: Catalog,
    now_s: float,
    *,
    budget: Budget,
    aims: Aims | None,
    reckoner: Reckoner | None,
) -> Plan | Infeasible:
    """For services that may live somewhere."""
    reckoner = reckoner or Reckoner(catalog)
    aimed = aims if aims is not None and isinstance(aims.plan, Solved) else None
    left = Sites(view, reckoner)
    wants = list(_wants(view, aimed))
    if not left.devices and (any(want.count > 0 for want in wants) or (aims is not None and aimed is None)):
        asked = [want.service for want in wants if want.count > 0] or list(_without_replicas(view))
        return _nowhere(tuple(_unique(asked)), view, catalog, now_s)
    made = _placed(wants, left, budget, now_s)
    decisions = [*made.decisions]
    if aimed is not None:
        decisions.extend(_short(view, aimed, left, now_s))
    return Plan(
        status=Status.CUT_SHORT if made.postponed else Status.OPTIMAL,
        add=tuple(made.add),
        surplus=tuple(_surplus(view, aimed)),
        unserved=tuple(decision.service for decision in decisions if decision.outcome is Outcome.REFUSED),
        decisions=tuple(decisions),
        blocked=tuple(made.blocked),
        idle=tuple(_idle(view, aimed)),
        postponed=frozenset(made.postponed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """What came of the wants, as it grows."""

    add: list[PlannedReplicas] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    postponed: set[ServiceName] = field(default_factory=set)


def _placed(wants: Sequence[_Want], left: Sites, budget: Budget, now_s: float) -> _Placed:
    """Replica by replica, each in the room that those before it leave."""
    made = _Placed()
    for want in wants:
        for number in range(want.count):
            if len(made.add) >= budget.replicas:
                made.postponed.add(want.service.name)
                break
            choice = choose(want.service, left, aim=want.aim)
            if choice.recipe is None and want.aim is not None:
                made.blocked.append(Blocked(aim=want.aim, count=want.count - number))
                break
            choice = with_cordons(choice, want.service, left.view, left.reckoner.catalog)
            made.decisions.append(_decision(want, choice, now_s))
            if choice.recipe is None:
                break
            made.add.append(_planned(want, choice.recipe, choice.taken, made.decisions[-1]))
            left.take(choice.taken, choice.recipe, want.service.name)
    return made


def _unique(services: Sequence[Service]) -> Iterator[Service]:
    names = dict.fromkeys(service.name for service in services)
    return (next(service for service in services if service.name == name) for name in names)


def _alive(service: Service, view: FleetView) -> list[Replica]:
    return [replica for replica in view.replicas_of(service.name) if replica.phase not in LEAVING]


def _without_replicas(view: FleetView) -> Iterator[Service]:
    """Those that want some and have none."""
    for service in view.services:
        if service.phase is not ServicePhase.DELETING and service.min_replicas and not _alive(service, view):
            yield service


def _wants(view: FleetView, aims: Aims | None) -> Iterator[_Want]:
    """What is missing; of aims the largest gangs first, since they are the hardest to place."""
    nodes = {node.id: node for node in view.nodes}
    found: list[_Want] = []
    for service in view.services:
        if service.phase is ServicePhase.DELETING:
            continue
        alive = _alive(service, view)
        if aims is None:
            found.append(_Want(service=service, aim=None, count=max(0, service.min_replicas - len(alive))))
            continue
        open_ = [replica for replica in alive if is_open(nodes.get(replica.node), replica)]
        for each in aims.aims.get(service.name, ()):
            there = sum(1 for replica in open_ if each.allows(replica.node, replica.recipe))
            found.append(_Want(service=service, aim=each, count=max(0, each.count - there)))
    return iter(sorted(found, key=lambda want: 0 if want.aim is None else -want.aim.recipe.devices))


def _surplus(view: FleetView, aims: Aims | None) -> Iterator[ReplicaId]:
    """Those beyond what is wanted: first those that are not ready, then the newest."""
    nodes = {node.id: node for node in view.nodes}
    for service in view.services:
        alive = _alive(service, view)
        if service.phase is ServicePhase.DELETING:
            yield from (replica.id for replica in alive)
            continue
        if aims is None:
            yield from _least_useful(alive, len(alive) - service.min_replicas)
            continue
        if service.name not in aims.aims:
            continue
        movable = [replica for replica in alive if is_open(nodes.get(replica.node), replica)]
        for each in aims.aims[service.name]:
            mine = [replica for replica in movable if each.allows(replica.node, replica.recipe)]
            movable = [replica for replica in movable if replica not in mine]
            yield from _least_useful(mine, len(mine) - each.count)
        yield from _least_useful(movable, len(movable))


def _least_useful(replicas: list[Replica], count: int) -> Iterator[ReplicaId]:
    ordered = sorted(replicas, key=lambda each: (each.phase is ReplicaPhase.READY, -each.created_s))
    return (replica.id for replica in ordered[: max(0, count)])


def _idle(view: FleetView, aims: Aims | None) -> Iterator[ServiceName]:
    """Services at rest: nothing is aimed at, and nothing is lacking."""
    if aims is None:
        return
    for service in view.services:
        if aims.aims.get(service.name) == () and service.name not in aims.short and not _alive(service, view):
            yield service.name


def _short(view: FleetView, aims: Aims, left: Sites, now_s: float) -> Iterator[Decision]:
    """A decision for each service that the plan cannot give all it asks for."""
    for service in view.services:
        lacks = aims.short.get(service.name)
        if lacks is None or service.phase is ServicePhase.DELETING:
            continue
        if aims.aims.get(service.name) or _alive(service, view):
            yield shortage(service, lacks, now_s)
        else:
            catalog = left.reckoner.catalog
            choice = with_cordons(choose(service, left), service, view, catalog)
            yield refused_by_plan(service, lacks, choice, now_s)


def _planned(want: _Want, recipe: Recipe, taken: tuple[Room, ...], decision: Decision) -> PlannedReplicas:
    return PlannedReplicas(
        service=want.service.name,
        recipe=recipe,
        node=taken[0].node,
        count=1,
        decision=decision,
    )


def _decision(want: _Want, choice: Choice, now_s: float) -> Decision:
    because: tuple[Reason, ...] = ()
    if choice.recipe is not None:
        facts: dict[str, str | int | float] = {
            "node": choice.taken[0].node,
            "device": choice.where,
            "cores": choice.recipe.cores,
            "memory_bytes": choice.recipe.memory_bytes,
            "free_bytes": sum(room.memory_bytes for room in choice.taken),
        }
        because = (
            Reason(code=ReasonCode.FITS, facts=facts),
            *_promised(want.service, choice.recipe, choice.promise),
            *_carried(want.aim),
        )
    return Decision(
        at_s=now_s,
        service=want.service.name,
        outcome=Outcome.REFUSED if choice.recipe is None else Outcome.PLACED,
        recipe=choice.recipe,
        where=choice.where,
        because=because,
        rejected=choice.rejected,
        would_change=choice.would_change,
    )


def _promised(service: Service, recipe: Recipe, made: Promise | None) -> tuple[Reason, ...]:
    """How far the objective is predicted to be kept; without a known speed it is said to be unchecked, never kept."""
    if not service.objective.is_asked:
        return ()
    if made is None:
        return (Reason(code=ReasonCode.SPEED_UNKNOWN, facts={"recipe": label(recipe, "")}),)
    facts = {"users": made.users, "ttft_s": made.ttft_s, "tpot_s": made.tpot_s}
    return (Reason(code=ReasonCode.KEEPS_OBJECTIVE, facts=facts),)


def _carried(aim: Aim | None) -> tuple[Reason, ...]:
    """What the plan reckons with; nothing where no requests are expected yet."""
    if aim is None or not aim.demand_rps:
        return ()
    facts = {"demand_rps": aim.demand_rps, "rate_rps": aim.rate_rps or 0.0, "count": aim.count}
    return (Reason(code=ReasonCode.CARRIES, facts=facts),)


def _nowhere(asked: tuple[Service, ...], view: FleetView, catalog: Catalog, now_s: float) -> Infeasible:
    """No reachable device at all that takes anything."""
    reasons = why_closed(view) or (Reason(code=ReasonCode.NO_NODE, facts={}),)
    decisions = tuple(
        Decision(
            at_s=now_s,
            service=service.name,
            outcome=Outcome.REFUSED,
            recipe=None,
            where="",
            because=(),
            rejected=tuple(Rejected(option="any chip", reason=reason) for reason in reasons),
            would_change=uncordoning(service, view, catalog),
        )
        for service in asked
    )
    return Infeasible(unserved=tuple(service.name for service in asked), decisions=decisions)
