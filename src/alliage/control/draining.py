"""draining: replicas on nodes and devices that an admin empties are replaced first and leave then. Views in, views out.

Plan is shown a view in which they leave already, so it finds each of them another place; then those that are still
needed stay as they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from alliage.control.leaving import unwanted
from alliage.decide.aiming.aims import Aims
from alliage.decide.reasons import Facts
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def movers(view: FleetView) -> tuple[Replica, ...]:
    """The replicas that an admin wants elsewhere and that have not begun to leave, oldest first."""
    emptying = {node.id for node in view.nodes if node.is_draining or node.draining}
    return tuple(
        replica
        for replica in view.replicas
        if replica.node in emptying and replica.phase not in LEAVING and emptied_for(replica, view) is not None
    )


def emptied_for(replica: Replica, view: FleetView) -> Facts | None:
    """The node, or the device of it, that is emptied and has this replica; None where it may stay."""
    node = view.node(replica.node)
    if node is None:
        return None
    if node.is_draining:
        return {"replica": replica.id, "node": node.id, "device": ""}
    emptied = next((each.device for each in replica.bindings if node.empties(each.device)), None)
    return None if emptied is None else {"replica": replica.id, "node": node.id, "device": emptied}


def as_leaving(view: FleetView) -> FleetView:
    """The view that plan and bind are shown: the movers count no more, but hold what they have."""
    moving = {replica.id for replica in movers(view)}
    if not moving:
        return view
    replicas = (replace(each, phase=ReplicaPhase.DRAINING) if each.id in moving else each for each in view.replicas)
    return replace(view, replicas=tuple(replicas))


def with_movers(after: FleetView, before: FleetView, aims: Aims | None) -> FleetView:
    """`after`, in which each mover of `before` is as it was if its service needs it still, else begins to leave.

    It is needed while fewer replicas than wanted are ready elsewhere: so it goes once its successor is ready, and stays
    for as long as nothing can be placed elsewhere.
    """
    moving = {replica.id: replica for replica in movers(before)}
    if not moving:
        return after
    needed = _needed(after, moving, aims)
    return replace(
        after,
        replicas=tuple(
            each if (was := moving.get(each.id)) is None else was if each.id in needed else unwanted(was)
            for each in after.replicas
        ),
    )


def _wanted(service: Service, aims: Aims | None) -> float:
    """How many replicas a service is to have elsewhere: all that are aimed at; where it gets too little, as many as there are."""
    if service.phase is ServicePhase.DELETING:
        return 0
    if aims is None or service.name not in aims.aims or service.name in aims.short:
        return inf
    return sum(each.count for each in aims.aims[service.name])


def _needed(after: FleetView, moving: Mapping[ReplicaId, Replica], aims: Aims | None) -> set[ReplicaId]:
    """Of each service's movers the ready ones first, then the oldest, as many as are not ready elsewhere yet."""
    ready: dict[ServiceName, int] = {}
    for replica in after.replicas:
        if replica.id not in moving and replica.phase is ReplicaPhase.READY:
            ready[replica.service] = ready.get(replica.service, 0) + 1
    needed: set[ReplicaId] = set()
    for service in after.services:
        mine = [replica for replica in moving.values() if replica.service == service.name]
        mine.sort(key=lambda replica: replica.phase is not ReplicaPhase.READY)
        missing = _wanted(service, aims) - ready.get(service.name, 0)
        needed.update(replica.id for replica in mine[: int(max(0, min(missing, len(mine))))])
    return needed
