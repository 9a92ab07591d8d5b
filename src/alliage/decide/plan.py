"""plan: what is aimed at and the room there is -> the replicas to add and to give back. At every pass; pure.

What is aimed at is `aiming`'s: the plan's programme, solved minutes apart or on a change. Without it a service gets its
least number of replicas by the first recipe that fits, oldest service first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from alliage.catalog.records import Catalog
from alliage.decide.aiming.aims import Aim, Aims
from alliage.decide.aiming.kinds import is_open
from alliage.decide.carrying import Promise
from alliage.decide.choice import Choice, Sites, choose, label
from alliage.decide.cordons import uncordoning, why_closed, with_cordons
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.reckoning import Reckoner
from alliage.decide.room import Room
from alliage.decide.shortages import refused_by_plan, shortage
from alliage.decide.solve.answer import Plan as Solved
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, OUT, ReplicaPhase, ServicePhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


class Status(StrEnum):
    """How far the solve got."""

    OPTIMAL = "optimal"
    CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many recipes may be looked at; counted in work, so that the same input gives the same answer."""

    work: int

    @classmethod
    def unlimited(cls) -> "Budget":
        """More than any fleet needs."""
        return cls(work=1 << 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReplicas:
    """So many more replicas of a service by a recipe at a site."""

    service: ServiceName
    recipe: Recipe
    site: str
    device_cores: int
    """Cores of the devices it is for (the node size): the recipe's share of them was reckoned from it."""
    count: int
    decision: Decision
    nodes: tuple[NodeId, ...] | None = None
    """Where they may stand; None: wherever they fit."""


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
    wake: tuple[ReplicaId, ...] = ()
    """Those that are abed and wanted again; their devices are free."""


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
    least number. What runs on nodes that are lost, or take nothing new, is left alone. A `reckoner` remembers what was
    reckoned before.
    """
    reckoner = reckoner or Reckoner(catalog)
    aimed = aims if aims is not None and isinstance(aims.plan, Solved) else None
    left = Sites(view, catalog)
    wants = list(_wants(view, aimed))
    if not left.devices and (any(want.count > 0 for want in wants) or (aims is not None and aimed is None)):
        waiting = [want.service for want in wants if want.count > 0] or list(_without_replicas(view))
        return _nowhere(tuple(_unique(waiting)), view, catalog, now_s)
    add: list[PlannedReplicas] = []
    blocked: list[Blocked] = []
    decisions: list[Decision] = []
    work = budget.work
    wake: list[ReplicaId] = []
    wants = [_after_waking(want, view, left, wake) for want in wants]
    for want in wants:
        for number in range(want.count):
            work -= left.devices
            if work < 0:
                break
            choice = choose(want.service, view, left, reckoner, aim=want.aim)
            if choice.recipe is None and want.aim is not None:
                blocked.append(Blocked(aim=want.aim, count=want.count - number))
                break
            choice = with_cordons(choice, want.service, view, catalog)
            decisions.append(_decision(want, choice, now_s))
            if choice.recipe is None:
                break
            add.append(_planned(want, choice.recipe, choice.taken, decisions[-1]))
            left.take(choice.taken, choice.recipe, want.service.name)
    if aimed is not None:
        decisions.extend(_short(view, aimed, left, reckoner, now_s))
    return Plan(
        status=Status.OPTIMAL if work >= 0 else Status.CUT_SHORT,
        add=tuple(add),
        surplus=tuple(_surplus(view, aimed)),
        unserved=tuple(decision.service for decision in decisions if decision.outcome is Outcome.REFUSED),
        decisions=tuple(decisions),
        blocked=tuple(blocked),
        idle=tuple(_idle(view, aimed)),
        wake=tuple(wake),
    )


def _after_waking(want: _Want, view: FleetView, left: Sites, wake: list[ReplicaId]) -> _Want:
    """What is still missing once those of its replicas that are abed are woken; they are added to `wake`.

    One that was told to sleep is waited for: it is back sooner than another one would be loaded.
    """
    if want.count <= 0:
        return want
    nodes = {node.id: node for node in view.nodes}
    missing = want.count
    for phase in (ReplicaPhase.RESTING, ReplicaPhase.DOZING, ReplicaPhase.ASLEEP):
        for replica in view.replicas_of(want.service.name):
            if missing <= 0:
                break
            if (
                replica.phase is not phase
                or replica.id in wake
                or not _may_wake(replica, want, nodes.get(replica.node))
            ):
                continue
            if phase is ReplicaPhase.ASLEEP and not left.take_bed(replica):
                continue
            missing -= 1
            if phase is not ReplicaPhase.DOZING:
                wake.append(replica.id)
    return replace(want, count=missing)


def _may_wake(replica: Replica, want: _Want, node: Node | None) -> bool:
    there = replace(replica, bindings=replica.bed or replica.bindings)
    return is_open(node, there) and (want.aim is None or want.aim.allows(replica.node, replica.recipe))


def _unique(services: Sequence[Service]) -> Iterator[Service]:
    names = dict.fromkeys(service.name for service in services)
    return (next(service for service in services if service.name == name) for name in names)


def _alive(service: Service, view: FleetView) -> list[Replica]:
    return [replica for replica in view.replicas_of(service.name) if replica.phase not in OUT]


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
            every = view.replicas_of(service.name)
            yield from (replica.id for replica in every if replica.phase not in LEAVING)
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


def _short(view: FleetView, aims: Aims, left: Sites, reckoner: Reckoner, now_s: float) -> Iterator[Decision]:
    """A decision for each service that the plan cannot give all it asks for."""
    for service in view.services:
        lacks = aims.short.get(service.name)
        if lacks is None or service.phase is ServicePhase.DELETING:
            continue
        if aims.aims.get(service.name) or _alive(service, view):
            yield shortage(service, lacks, now_s)
        else:
            catalog = reckoner.catalog
            choice = with_cordons(choose(service, view, left, reckoner), service, view, catalog)
            yield refused_by_plan(service, lacks, choice, now_s)


def _planned(want: _Want, recipe: Recipe, taken: tuple[Room, ...], decision: Decision) -> PlannedReplicas:
    return PlannedReplicas(
        service=want.service.name,
        recipe=recipe,
        site=taken[0].site,
        device_cores=len(taken[0].device.cores),
        count=1,
        decision=decision,
        nodes=(taken[0].node,),
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


def _nowhere(waiting: tuple[Service, ...], view: FleetView, catalog: Catalog, now_s: float) -> Infeasible:
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
        for service in waiting
    )
    return Infeasible(unserved=tuple(service.name for service in waiting), decisions=decisions)
