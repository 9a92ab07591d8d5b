"""plan: demand and room -> replicas per (service, recipe, site). Minutes apart, or on a change. Pure.

In this version a service asks for its least number of replicas and the first recipe that fits is taken, oldest
service first. Speeds, prices and guarantees come into the same value later.
"""

from dataclasses import dataclass
from enum import StrEnum

from alliage.catalog.records import Catalog
from alliage.decide.carrying import Promise
from alliage.decide.choice import Choice, choose, label, take
from alliage.decide.cordons import uncordoning, why_closed, with_cordons
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.room import rooms
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

LEAVING = frozenset({ReplicaPhase.DRAINING, ReplicaPhase.STOPPING, ReplicaPhase.STOPPED})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be added and given back. Services that could not be served are in `unserved` with their decision."""

    status: Status
    add: tuple[PlannedReplicas, ...]
    surplus: tuple[tuple[ServiceName, int], ...]
    unserved: tuple[ServiceName, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """No plan exists: nothing is to be changed. The decisions name the culprit, one for each service that waits."""

    unserved: tuple[ServiceName, ...]
    decisions: tuple[Decision, ...]


def plan(view: FleetView, catalog: Catalog, *, now_s: float, budget: Budget) -> Plan | Infeasible:
    """The replicas that bring every service to what it asked for, as far as there is room for them."""
    left = list(rooms(view))
    wanting = [(service, _missing(service, view)) for service in view.services]
    if not left and any(count > 0 for _, count in wanting):
        return _nowhere(tuple(service for service, count in wanting if count > 0), view, catalog, now_s)
    add: list[PlannedReplicas] = []
    decisions: list[Decision] = []
    work = budget.work
    for service, count in wanting:
        for _ in range(count):
            work -= len(left)
            if work < 0:
                break
            choice = with_cordons(choose(service, view, left, catalog), service, view, catalog)
            decisions.append(_decision(service, choice, now_s))
            if choice.recipe is None:
                break
            add.append(
                PlannedReplicas(
                    service=service.name,
                    recipe=choice.recipe,
                    site=choice.taken[0].site,
                    device_cores=len(choice.taken[0].device.cores),
                    count=1,
                    decision=decisions[-1],
                ),
            )
            for room in choice.taken:
                left[left.index(room)] = take(room, choice.recipe, service.name)
    return Plan(
        status=Status.OPTIMAL if work >= 0 else Status.CUT_SHORT,
        add=tuple(add),
        surplus=tuple((service.name, -count) for service, count in wanting if count < 0),
        unserved=tuple(decision.service for decision in decisions if decision.outcome is Outcome.REFUSED),
        decisions=tuple(decisions),
    )


def _missing(service: Service, view: FleetView) -> int:
    """How many replicas are to be added; negative when there are too many."""
    wanted = 0 if service.phase is ServicePhase.DELETING else service.min_replicas
    return wanted - sum(1 for replica in view.replicas_of(service.name) if replica.phase not in LEAVING)


def _decision(service: Service, choice: Choice, now_s: float) -> Decision:
    because: tuple[Reason, ...] = ()
    if choice.recipe is not None:
        facts: dict[str, str | int | float] = {
            "node": choice.taken[0].node,
            "device": choice.where,
            "cores": choice.recipe.cores,
            "memory_bytes": choice.recipe.memory_bytes,
            "free_bytes": sum(room.memory_bytes for room in choice.taken),
        }
        because = (Reason(code=ReasonCode.FITS, facts=facts), *_promised(service, choice.recipe, choice.promise))
    return Decision(
        at_s=now_s,
        service=service.name,
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
