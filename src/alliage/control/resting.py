"""resting: replicas that are not wanted now fall asleep where they can, and sleepers end when they may not stay. Views in, views out.

Whoever sleeps holds no device; what it takes of its node's memory is bounded (`decide/sleeping.py`). The oldest sleepers of a
node end when a newer one needs their memory.
"""

from dataclasses import replace

from alliage.catalog.records import Catalog
from alliage.control.leaving import all_unwanted
from alliage.decide.plan import Plan
from alliage.decide.reasons import Decision, Facts, Outcome, Reason, ReasonCode
from alliage.decide.sleeping import can_sleep_at, host_room, sleep_bytes
from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import (
    ABED,
    LEAVING,
    REPLICA_TRANSITIONS,
    NodePhase,
    ReplicaEvent,
    ReplicaPhase,
    ServicePhase,
    advance,
)
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

_FALLING = frozenset({ReplicaPhase.RESTING, ReplicaPhase.DOZING})


def can_rest(view: FleetView, service: ServiceName, catalog: Catalog) -> bool:
    """Whether a service has replicas, and all of them can sleep."""
    mine = [each for each in view.replicas_of(service) if each.phase not in LEAVING]
    return bool(mine) and all(can_sleep_at(each.recipe, view.node(each.node), catalog) for each in mine)


def without_lost_beds(view: FleetView) -> FleetView:
    """Sleepers end whose service is being deleted, whose node is emptied or cordoned, or whose devices are there no more."""
    deleting = {service.name for service in view.services if service.phase is ServicePhase.DELETING}
    nodes = {node.id: node for node in view.nodes}
    ending = {
        replica.id
        for replica in view.replicas
        if replica.phase in ABED and (replica.service in deleting or not _may_stay(replica, nodes.get(replica.node)))
    }
    return all_unwanted(view, ending)


def woken(view: FleetView, planned: Plan) -> FleetView:
    """The view in which those that are wanted again have their devices again."""
    if not planned.wake:
        return view
    wake = set(planned.wake)
    return replace(view, replicas=tuple(_woken(each) if each.id in wake else each for each in view.replicas))


def at_rest(before: FleetView, after: FleetView, catalog: Catalog) -> FleetView:
    """`after`, in which those that were ready `before` and begin to leave fall asleep instead, where they can.

    One for whose sleep others have to end first stays as it was until they are gone.
    """
    was = {replica.id: replica for replica in before.replicas}
    models = {each.name: each.model for each in after.services if each.phase is not ServicePhase.DELETING}
    for replica in after.replicas:
        old = was.get(replica.id)
        if replica.phase is not ReplicaPhase.DRAINING or old is None or old.phase is not ReplicaPhase.READY:
            continue
        node, model = after.node(replica.node), models.get(replica.service)
        if node is None or model is None or not _is_open(node, old):
            continue
        needed = sleep_bytes(old.recipe, model, catalog)
        if needed is not None:
            after = _rested(after, old, node, needed)
    return after


def bedtimes(before: FleetView, after: FleetView, now_s: float) -> tuple[Decision, ...]:
    """A decision for each that begins to rest, and for each that is woken or stays awake after all."""
    was = {replica.id: replica for replica in before.replicas}
    found: list[Decision] = []
    for replica in after.replicas:
        old = was.get(replica.id)
        if old is None or old.phase is replica.phase:
            continue
        if replica.phase is ReplicaPhase.RESTING:
            found.append(_bedtime(replica, replica, Outcome.RESTED, now_s))
        elif old.phase in ABED and replica.phase not in LEAVING:
            found.append(_bedtime(replica, old, Outcome.WOKEN, now_s))
    return tuple(found)


def _bedtime(replica: Replica, asleep: Replica, outcome: Outcome, now_s: float) -> Decision:
    facts: Facts = {"replica": replica.id, "node": replica.node, "host_bytes": asleep.host_bytes}
    return Decision(
        at_s=now_s,
        service=replica.service,
        outcome=outcome,
        recipe=replica.recipe,
        where=" + ".join(binding.device for binding in replica.bindings),
        because=(Reason(code=ReasonCode.SLEPT, facts=facts),),
        rejected=(),
        would_change=(),
    )


def make_room(view: FleetView, planned: Plan) -> FleetView:
    """Sleepers end at nodes where what is planned finds no room although nothing is about to leave.

    An engine that sleeps still holds a little of its devices. Agents see it; only where they do, it can be in the way.
    """
    ending: set[ReplicaId] = set()
    for blocked in planned.blocked:
        here = [each for each in view.replicas if each.node in blocked.aim.kind.nodes]
        if not any(each.phase in LEAVING or each.phase in _FALLING for each in here):
            ending.update(each.id for each in here if each.phase is ReplicaPhase.ASLEEP and _is_seen(each, view))
    return all_unwanted(view, ending)


def _rested(view: FleetView, replica: Replica, node: Node, needed: int) -> FleetView:
    """It begins to rest where there is room for its sleep; is as it was while room is being made; else leaves."""
    room = host_room(node, view)
    if needed <= room:
        phase = advance(REPLICA_TRANSITIONS, replica.phase, ReplicaEvent.RESTED)
        return _with(view, replace(replica, phase=phase or replica.phase, host_bytes=needed))
    here = [each for each in view.replicas if each.node == node.id and each.host_bytes]
    coming = sum(each.host_bytes for each in here if each.phase in LEAVING or each.phase is ReplicaPhase.WAKING)
    ending: set[ReplicaId] = set()
    for sleeper in (each for each in here if each.phase is ReplicaPhase.ASLEEP):
        if room + coming >= needed:
            break
        ending.add(sleeper.id)
        coming += sleeper.host_bytes
    if room + coming < needed:
        return view
    return _with(all_unwanted(view, ending), replica)


def _may_stay(replica: Replica, node: Node | None) -> bool:
    """A node that only cannot be reached now keeps its sleepers."""
    if node is None:
        return False
    there = {device.id for device in node.devices}
    devices = {binding.device for binding in (*replica.bed, *replica.bindings)}
    return devices <= there and all(node.takes(device) for device in devices)


def _is_open(node: Node, replica: Replica) -> bool:
    return node.phase is NodePhase.READY and all(node.takes(binding.device) for binding in replica.bindings)


def _is_seen(replica: Replica, view: FleetView) -> bool:
    seen: set[DeviceId] = set(view.free_bytes)
    return any(binding.device in seen for binding in replica.bed)


def _woken(replica: Replica) -> Replica:
    phase = advance(REPLICA_TRANSITIONS, replica.phase, ReplicaEvent.WANTED) or replica.phase
    if phase is ReplicaPhase.WAKING:
        return replace(replica, phase=phase, bindings=replica.bed, bed=())
    return replace(replica, phase=phase, host_bytes=0)


def _with(view: FleetView, replica: Replica) -> FleetView:
    return replace(view, replicas=tuple(replica if each.id == replica.id else each for each in view.replicas))
