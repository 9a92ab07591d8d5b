"""reconcile: one pass of control as a pure function: settle what was heard, plan, bind, say what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.actions import Action, SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.draining import as_leaving, with_movers
from alliage.control.failing import give_up
from alliage.control.gone import is_banned, is_misplaced, why_gone
from alliage.control.leaving import all_unwanted, let_go, stuck
from alliage.control.observed import OVER, EngineState, Observation, ReplicaReport
from alliage.control.ports import Changes
from alliage.control.resting import at_rest, bedtimes, make_room, without_lost_beds, woken
from alliage.control.settle import Heard, settle
from alliage.decide.aiming.aims import Aims
from alliage.decide.aiming.outlook import Barred
from alliage.decide.bind import Placement, bind_at
from alliage.decide.plan import Budget, Infeasible, Plan, PlannedReplicas, Status, plan
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.reckoning import Reckoner
from alliage.decide.room import Spot, rooms, spots
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import (
    LEAVING,
    OUT,
    SERVICE_TRANSITIONS,
    ReplicaPhase,
    ServiceEvent,
    ServicePhase,
    advance,
)
from alliage.fleet.measured import RecipeKey
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

STOP_GRACE_S: Final = 10.0
_SHOULD_RUN: Final = frozenset(
    {
        ReplicaPhase.BOUND,
        ReplicaPhase.FETCHING,
        ReplicaPhase.STARTING,
        ReplicaPhase.READY,
        ReplicaPhase.RESTING,
        ReplicaPhase.WAKING,
    },
)
_NOTHING: Final = Plan(status=Status.OPTIMAL, add=(), surplus=(), unserved=(), decisions=())
_TOLD_ONCE: Final = frozenset({Outcome.REFUSED, Outcome.SHORT, Outcome.WAITING})
Refusals = Mapping[ServiceName, tuple[Rejected, ...]]
"""Why each service that wants more replicas cannot have them, without the figures that change from pass to pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The outcome of one pass. `view` is the state after `changes`; `actions` suit it and may be repeated."""

    view: FleetView
    changes: Changes
    actions: tuple[Action, ...]
    observations: tuple[Observation, ...]
    refused: Refusals
    stuck: frozenset[Barred] = frozenset()
    """What is aimed at and cannot be placed, with nothing to wait for."""
    is_cut_short: bool = False
    """There is more to place than one pass may: another one is due at once."""


def reconcile(
    view: FleetView,
    heard: Heard,
    catalog: Catalog,
    *,
    now_s: float,
    new_id: Callable[[], str],
    budget: Budget,
    refused: Refusals,
    aiming: Callable[[FleetView], Aims | None],
    reckoner: Reckoner | None = None,
) -> Pass:
    """`new_id` gives six characters, never the same twice; `refused` is the last pass's, so that no no is told twice.

    `aiming` says what is to run, for the view after what was heard; None: nothing is known yet, so nothing is begun or ended.
    """
    settled = settle(view, heard, now_s=now_s)
    standing = without_lost_beds(_without_misplaced(_without_gone(settled.view)))
    given_up = give_up(standing, catalog, now_s=now_s)
    placed = given_up.view
    shown = as_leaving(placed)
    aims = aiming(shown)
    planned: Plan | Infeasible = _NOTHING
    if aims is not None:
        planned = plan(shown, catalog, now_s=now_s, budget=budget, aims=aims, reckoner=reckoner)
    roused = woken(shown, planned) if isinstance(planned, Plan) else shown
    after, bound = _bound(roused, planned, now_s, new_id)
    if isinstance(planned, Plan):
        after = make_room(at_rest(after, let_go(after, planned, catalog), catalog), planned)
    after = with_movers(after, placed, aims)
    after, services_told = _services_after(after, planned, now_s)
    after = _without_forgotten(after)
    decisions = (
        *settled.decisions,
        *given_up.decisions,
        *bedtimes(shown, after, now_s),
        *bound,
        *_news(planned, refused),
    )
    changes = _difference(view, after, decisions, now_s, lambda replica: why_gone(replica, view, heard.lost, aims))
    return Pass(
        view=after,
        changes=changes,
        actions=_actions(after, heard),
        observations=(*settled.observations, *services_told),
        refused=_refusals(planned),
        stuck=stuck(after, planned) if isinstance(planned, Plan) else frozenset(),
        is_cut_short=isinstance(planned, Plan) and planned.status is Status.CUT_SHORT,
    )


def _bound(
    view: FleetView,
    planned: Plan | Infeasible,
    now_s: float,
    new_id: Callable[[], str],
) -> tuple[FleetView, tuple[Decision, ...]]:
    """The view with a replica for each that was planned and found a place, and the decisions that say where."""
    if isinstance(planned, Infeasible) or not planned.add:
        return view, ()
    decisions: list[Decision] = []
    added: list[Replica] = []
    left = {(spot.node, spot.chip): spot for spot in spots(rooms(view))}
    nodes = {node.id: node for node in view.nodes}
    for wanted in planned.add:
        where = wanted.node, wanted.recipe.chip
        for _ in range(wanted.count):
            placement = bind_at(wanted, nodes[wanted.node], left[where]) if where in left else None
            if placement is None:
                break
            replica = _bound_replica(wanted, placement, now_s, new_id)
            because = _fits_there(wanted, replica, left[where])
            decisions.append(replace(wanted.decision, where=place_of(replica), because=because))
            added.append(replica)
            devices = (binding.device for binding in replica.bindings)
            left[where] = left[where].without(devices, replica.recipe, replica.service)
    return replace(view, replicas=(*view.replicas, *added)), tuple(decisions)


def _fits_there(wanted: PlannedReplicas, replica: Replica, spot: Spot) -> tuple[Reason, ...]:
    """The plan's reasons, with the figures of the devices that binding chose."""
    free = {room.id: room.memory_bytes for room in spot.rooms}
    devices = [binding.device for binding in replica.bindings]
    facts: dict[str, str | int | float] = {
        "node": replica.node,
        "device": " + ".join(devices),
        "cores": replica.recipe.cores,
        "memory_bytes": replica.recipe.memory_bytes,
        "free_bytes": sum(free.get(device, 0) for device in devices),
    }
    others = (reason for reason in wanted.decision.because if reason.code is not ReasonCode.FITS)
    return (Reason(code=ReasonCode.FITS, facts=facts), *others)


def _bound_replica(wanted: PlannedReplicas, placement: Placement, now_s: float, new_id: Callable[[], str]) -> Replica:
    return Replica(
        id=ReplicaId(f"{wanted.service}-{new_id()}"),
        service=wanted.service,
        node=placement.node,
        recipe=wanted.recipe,
        bindings=placement.bindings,
        phase=ReplicaPhase.BOUND,
        starts=0,
        failures=0,
        retry_s=0.0,
        note="",
        created_s=now_s,
    )


def place_of(replica: Replica) -> str:
    """`laptop/cpu0 cores 0,1`."""
    places = []
    for binding in replica.bindings:
        cores = ",".join(str(core) for core in binding.cores)
        places.append(f"{binding.device} cores {cores}" if cores else binding.device)
    return " + ".join(places)


def _without_misplaced(view: FleetView) -> FleetView:
    """What stands where it may not begins to leave; the plan finds it another place.

    Its device, or a core of it, is no longer there; or its service may not live there any more. That is not put off until
    there is another one: make before break would answer from a place that was just forbidden.
    """
    devices = {device.id: device for node in view.nodes for device in node.devices}
    nodes = {node.id: node for node in view.nodes}
    services = {service.name: service for service in view.services}
    gone = {
        each.id
        for each in view.replicas
        if each.phase not in LEAVING
        and (is_misplaced(each, devices) or is_banned(nodes.get(each.node), services.get(each.service)))
    }
    return all_unwanted(view, gone)


def _without_gone(view: FleetView) -> FleetView:
    """A replica that is gone leaves the view."""
    if all(replica.phase is not ReplicaPhase.STOPPED for replica in view.replicas):
        return view
    return replace(
        view, replicas=tuple(replica for replica in view.replicas if replica.phase is not ReplicaPhase.STOPPED)
    )


def _services_after(
    view: FleetView,
    planned: Plan | Infeasible,
    now_s: float,
) -> tuple[FleetView, tuple[Observation, ...]]:
    """Each service's phase from its replicas; a deleted one without replicas is gone."""
    services: list[Service] = []
    told: list[Observation] = []
    for service in view.services:
        replicas = view.replicas_of(service.name)
        if service.phase is ServicePhase.DELETING and not replicas:
            told.append(Observation(at_s=now_s, subject=service.name, what="gone"))
            continue
        idle = isinstance(planned, Plan) and service.name in planned.idle
        phase = _phase_after(service, replicas, refused=service.name in planned.unserved, idle=idle)
        services.append(service if phase is service.phase else replace(service, phase=phase))
        if phase is not service.phase:
            told.append(Observation(at_s=now_s, subject=service.name, what=f"{service.phase} -> {phase}"))
    return replace(view, services=tuple(services)), tuple(told)


def _phase_after(service: Service, replicas: tuple[Replica, ...], *, refused: bool, idle: bool) -> ServicePhase:
    if any(replica.phase is ReplicaPhase.READY for replica in replicas):
        event = ServiceEvent.SERVED
    elif any(replica.phase not in OUT for replica in replicas):
        asked = service.phase in {ServicePhase.UNSERVED, ServicePhase.IDLE}
        event = ServiceEvent.ASKED if asked else ServiceEvent.LOST
    elif refused:
        event = ServiceEvent.REFUSED
    elif idle:
        event = ServiceEvent.RESTED
    elif service.phase is ServicePhase.IDLE:
        return service.phase  # it is asked for, but no replica of it has been placed yet
    else:
        event = ServiceEvent.LOST
    return advance(SERVICE_TRANSITIONS, service.phase, event) or service.phase


def _refusals(planned: Plan | Infeasible) -> Refusals:
    return {
        decision.service: tuple(replace(entry, reason=replace(entry.reason, facts={})) for entry in decision.rejected)
        for decision in planned.decisions
        if decision.outcome in _TOLD_ONCE
    }


def _news(planned: Plan | Infeasible, refused: Refusals) -> tuple[Decision, ...]:
    """Refusals that were not told already: the same no is not recorded at every pass."""
    now = _refusals(planned)
    return tuple(
        decision
        for decision in planned.decisions
        if decision.outcome in _TOLD_ONCE and refused.get(decision.service) != now[decision.service]
    )


def _without_forgotten(view: FleetView) -> FleetView:
    """What failed on nodes that are gone, or of models that nobody asks for any more, counts no more."""
    nodes = {node.id for node in view.nodes}
    models = {service.model.id for service in view.services}
    kept = tuple(mark for mark in view.failed if mark.node in nodes and mark.recipe.model in models)
    return view if len(kept) == len(view.failed) else replace(view, failed=kept)


def _forgotten(before: FleetView, after: FleetView) -> tuple[tuple[NodeId, RecipeKey], ...]:
    if before.failed is after.failed:
        return ()
    kept = {(mark.node, mark.recipe) for mark in after.failed}
    return tuple(key for mark in before.failed if (key := (mark.node, mark.recipe)) not in kept)


def _difference(
    before: FleetView,
    after: FleetView,
    decisions: tuple[Decision, ...],
    now_s: float,
    reason_for: Callable[[Replica], Reason],
) -> Changes:
    """The rows that differ; `reason_for` says why a replica is gone."""
    nodes = {node.id: node for node in before.nodes}
    services = {service.name: service for service in before.services}
    replicas = {replica.id: replica for replica in before.replicas}
    staying = {replica.id for replica in after.replicas}
    kept = {service.name for service in after.services}
    gone = tuple(replica for replica in before.replicas if replica.id not in staying)
    return Changes(
        nodes=tuple(node for node in after.nodes if nodes.get(node.id) != node),
        services=tuple(service for service in after.services if services.get(service.name) != service),
        replicas=tuple(replica for replica in after.replicas if replicas.get(replica.id) != replica),
        failed=tuple(mark for mark in after.failed if mark not in before.failed),
        drop_failed=_forgotten(before, after),
        drop_nodes=tuple(sorted(nodes.keys() - {node.id for node in after.nodes})),
        drop_services=tuple(name for name in services if name not in kept),
        drop_replicas=tuple(replica.id for replica in gone),
        decisions=(*decisions, *(_stopped(replica, now_s, reason_for(replica)) for replica in gone)),
    )


def _stopped(replica: Replica, now_s: float, reason: Reason) -> Decision:
    """What is kept of a replica that was given back, or is gone with its node."""
    return Decision(
        at_s=now_s,
        service=replica.service,
        outcome=Outcome.STOPPED,
        recipe=replica.recipe,
        where=place_of(replica),
        because=(reason,),
        rejected=(),
        would_change=(),
    )


def _bedtime(replica: Replica, told: ReplicaReport | None) -> Action | None:
    """An order to sleep while it is not told to be asleep, and one to wake while it is."""
    is_asleep = told is not None and told.state is EngineState.ASLEEP
    if replica.phase in {ReplicaPhase.DOZING, ReplicaPhase.ASLEEP} and not is_asleep:
        return SleepReplica(node=replica.node, replica=replica.id)
    if replica.phase is ReplicaPhase.WAKING and is_asleep:
        return WakeReplica(node=replica.node, replica=replica.id)
    return None


def _actions(view: FleetView, heard: Heard) -> tuple[Action, ...]:
    """What each agent that is there must start or stop; asked again at every pass until its report shows it done."""
    models = {service.name: service.model for service in view.services}
    known = {replica.id for replica in view.replicas}
    at: dict[NodeId, list[Replica]] = {}
    for replica in view.replicas:
        at.setdefault(replica.node, []).append(replica)
    actions: list[Action] = []
    for node_id, report in heard.reports.items():
        mine = at.get(node_id, ())
        for replica in mine:
            told = report.replicas.get(replica.id)
            if (order := _bedtime(replica, told)) is not None:
                actions.append(order)
            if replica.phase not in _SHOULD_RUN or replica.service not in models:
                continue
            if told is None or (told.state in OVER and told.attempt <= replica.starts):
                model = models[replica.service]
                actions.append(StartReplica(node=node_id, replica=replica, model=model, attempt=replica.starts + 1))
        strangers = {
            key for key, told in report.replicas.items() if key not in known and told.state is not EngineState.STOPPED
        }
        stopping = {replica.id for replica in mine if replica.phase is ReplicaPhase.STOPPING}
        actions.extend(
            StopReplica(node=node_id, replica=replica_id, grace_s=STOP_GRACE_S)
            for replica_id in sorted(strangers | stopping)
        )
    return tuple(actions)
