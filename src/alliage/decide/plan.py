"""plan: demand and room -> replicas per (service, recipe, site). Minutes apart, or on a change. Pure.

In this version a service asks for its least number of replicas and the first recipe that fits is taken, oldest
service first. Speeds, prices and guarantees come into the same value later.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.recipes import candidates, short_of
from alliage.decide.room import Room, rooms
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.footprint.memory import footprint

REJECTED_MAX = 50
"""Options that a decision names beside the one taken; on a large fleet the rest are alike."""
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
        return _nowhere(tuple(service for service, count in wanting if count > 0), view, now_s)
    add: list[PlannedReplicas] = []
    decisions: list[Decision] = []
    work = budget.work
    for service, count in wanting:
        for _ in range(count):
            work -= len(left)
            if work < 0:
                break
            choice = _choose(service, view, left, catalog)
            decisions.append(_decision(service, choice, now_s))
            if choice.recipe is None or choice.room is None:
                break
            add.append(
                PlannedReplicas(
                    service=service.name,
                    recipe=choice.recipe,
                    site=choice.room.site,
                    device_cores=len(choice.room.device.cores),
                    count=1,
                    decision=decisions[-1],
                ),
            )
            left[left.index(choice.room)] = _take(choice.room, choice.recipe, service.name)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """A recipe on a device, and what it lacks there (None: it fits)."""

    recipe: Recipe
    room: Room
    lacks: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    recipe: Recipe | None
    room: Room | None
    rejected: tuple[Rejected, ...]
    would_change: tuple[Reason, ...]


def _choose(service: Service, view: FleetView, left: list[Room], catalog: Catalog) -> _Choice:
    """The first recipe that fits, on the device with the most room; and why the others were not taken."""
    options: list[_Option] = []
    rejected: list[Rejected] = []
    for room in sorted(left, key=lambda room: (-len(room.cores), -room.memory_bytes)):
        node = view.node(room.node)
        if node is None:
            continue
        found = candidates(service.model, node, room, catalog)
        rejected.extend(found.rejected)
        for recipe in found.recipes:
            need = footprint(service.model, catalog.engines[recipe.engine])
            options.append(_Option(recipe=recipe, room=room, lacks=short_of(recipe, room, need)))
    taken = next((option for option in options if option.lacks is None), None)
    others = [option for option in options if option is not taken]
    rejected.extend(_rejected(option, taken) for option in others)
    if taken is None:
        changes = [change for option in others if option.lacks for change in _remedies(option.lacks, service, view)]
        changes.extend(_installs(tuple(rejected), service.model, catalog))
    else:
        changes = _turning_points(taken, others)
    return _Choice(
        recipe=taken.recipe if taken is not None else None,
        room=taken.room if taken is not None else None,
        rejected=tuple(rejected[:REJECTED_MAX]),
        would_change=tuple(_unique(changes)),
    )


def _rejected(option: _Option, taken: _Option | None) -> Rejected:
    """Why an option was not taken: what it lacks, or what makes it worse than the one that was."""
    reason = option.lacks
    if reason is None and taken is not None and option.room is taken.room:
        facts: dict[str, str | int | float] = {
            "concurrency": option.recipe.concurrency,
            "context_tokens": option.recipe.context_tokens,
            "than_concurrency": taken.recipe.concurrency,
            "than_context_tokens": taken.recipe.context_tokens,
        }
        reason = Reason(code=ReasonCode.SMALLER_SIZE, facts=facts)
    elif reason is None:
        facts = {
            "node": option.room.node,
            "device": option.room.id,
            "free": len(option.room.cores),
            "free_bytes": option.room.memory_bytes,
            "than": taken.room.id if taken is not None else "",
        }
        reason = Reason(code=ReasonCode.LESS_ROOM, facts=facts)
    return Rejected(option=label(option.recipe, option.room.id), reason=reason)


def _turning_points(taken: _Option, others: list[_Option]) -> list[Reason]:
    """The loss of memory on the chosen device from which on the next best option would be taken."""
    instead = next((option for option in others if option.lacks is None), None)
    if instead is None:
        return []
    facts: dict[str, str | int | float] = {
        "device": taken.room.id,
        "below_bytes": taken.recipe.memory_bytes,
        "instead": label(instead.recipe, instead.room.id),
    }
    return [Reason(code=ReasonCode.LOSE_MEMORY, facts=facts)]


def label(recipe: Recipe, where: str) -> str:
    """`llama.cpp on cpu-x86 at laptop/cpu0, 4 x 4096 tokens`."""
    size = f"{recipe.concurrency} x {recipe.context_tokens} tokens"
    return f"{recipe.engine} on {recipe.chip} at {where}, {size}"


def _remedies(reason: Reason, service: Service, view: FleetView) -> list[Reason]:
    """The smallest changes that would make room: one of the holders stopped, or memory added."""
    device = reason.facts["device"]
    if reason.code is ReasonCode.MEMORY_SHORT:
        missing = int(reason.facts["needed_bytes"]) - int(reason.facts["free_bytes"])
        more: dict[str, str | int | float] = {"node": reason.facts["node"], "missing_bytes": missing}
        return [Reason(code=ReasonCode.ADD_MEMORY, facts=more)]
    short = int(reason.facts["needed"]) - int(reason.facts["free"])
    held: dict[ServiceName, int] = {}
    for replica in view.replicas:
        for binding in replica.bindings:
            if binding.device == device and replica.service != service.name:
                held[replica.service] = held.get(replica.service, 0) + len(binding.cores)
    return [
        Reason(code=ReasonCode.STOP_SERVICE, facts={"service": name, "device": device, "cores": cores})
        for name, cores in held.items()
        if cores >= short
    ]


def _installs(rejected: tuple[Rejected, ...], model: ModelCard, catalog: Catalog) -> list[Reason]:
    """Engines that would serve the model if the node had them."""
    missing = (entry.reason.facts for entry in rejected if entry.reason.code is ReasonCode.ENGINE_MISSING)
    return [
        Reason(code=ReasonCode.INSTALL_ENGINE, facts={"engine": facts["engine"], "node": facts["node"]})
        for facts in missing
        if model.weights.format in catalog.engines[str(facts["engine"])].formats
    ]


def _unique(reasons: list[Reason]) -> list[Reason]:
    """Without repetition, in order."""
    seen: list[Reason] = []
    for reason in reasons:
        if reason not in seen:
            seen.append(reason)
    return seen


def _take(room: Room, recipe: Recipe, service: ServiceName) -> Room:
    """The room that is left after one replica of the recipe."""
    return replace(
        room,
        cores=room.cores[recipe.cores :],
        memory_bytes=room.memory_bytes - recipe.memory_bytes,
        holders=tuple(dict.fromkeys((*room.holders, service))),
    )


def _decision(service: Service, choice: _Choice, now_s: float) -> Decision:
    because: tuple[Reason, ...] = ()
    if choice.recipe is not None and choice.room is not None:
        facts: dict[str, str | int | float] = {
            "node": choice.room.node,
            "device": choice.room.id,
            "cores": choice.recipe.cores,
            "memory_bytes": choice.recipe.memory_bytes,
            "free_bytes": choice.room.memory_bytes,
        }
        because = (Reason(code=ReasonCode.FITS, facts=facts), *_unchecked(service, choice.recipe))
    return Decision(
        at_s=now_s,
        service=service.name,
        outcome=Outcome.REFUSED if choice.recipe is None else Outcome.PLACED,
        recipe=choice.recipe,
        where=choice.room.id if choice.room is not None else "",
        because=because,
        rejected=choice.rejected,
        would_change=choice.would_change,
    )


def _unchecked(service: Service, recipe: Recipe) -> tuple[Reason, ...]:
    """An objective that no known speed can be held against is said to be unchecked, never kept."""
    if service.objective.ttft_s is None and service.objective.tpot_s is None:
        return ()
    return (Reason(code=ReasonCode.SPEED_UNKNOWN, facts={"recipe": label(recipe, recipe.chip)}),)


def _nowhere(waiting: tuple[Service, ...], view: FleetView, now_s: float) -> Infeasible:
    """No reachable device at all."""
    lost = tuple(Reason(code=ReasonCode.NODE_UNREACHABLE, facts={"node": node.id}) for node in view.nodes)
    reasons = lost or (Reason(code=ReasonCode.NO_NODE, facts={}),)
    decisions = tuple(
        Decision(
            at_s=now_s,
            service=service.name,
            outcome=Outcome.REFUSED,
            recipe=None,
            where="",
            because=(),
            rejected=tuple(Rejected(option="any chip", reason=reason) for reason in reasons),
            would_change=(),
        )
        for service in waiting
    )
    return Infeasible(unserved=tuple(service.name for service in waiting), decisions=decisions)
