"""leaving: which of the replicas that are not wanted any more may go now. Make before break, unless room is needed. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from alliage.catalog.records import Catalog
from alliage.decide.aiming.outlook import Barred
from alliage.decide.plan import Plan
from alliage.decide.sleeping import can_sleep_at
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.lifecycles import (
    LEAVING,
    OUT,
    REPLICA_TRANSITIONS,
    ReplicaEvent,
    ReplicaPhase,
    ServicePhase,
    advance,
)
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

_COMING = frozenset({ReplicaPhase.READY, ReplicaPhase.STARTING, ReplicaPhase.WAKING})
_LOADING = frozenset({ReplicaPhase.BOUND, ReplicaPhase.FETCHING, ReplicaPhase.STARTING})
_GOING = LEAVING | {ReplicaPhase.RESTING, ReplicaPhase.DOZING}


def let_go(view: FleetView, planned: Plan, catalog: Catalog) -> FleetView:
    """The view in which those begin to leave that may.

    A replica that is ready, or will be, stays until all that its service is to have are ready: while demand climbs each plan is
    another one, and what is starting would be exchanged before it ever served. Where that cannot come to be, because what is
    aimed at finds no room, as many leave at its kind of nodes as make room for one, and so one after the other.
    The only one of a service that can sleep is not cut off while it loads: it will be there when it is asked for.
    """
    surplus = [replica for key in planned.surplus for replica in view.replicas if replica.id == key]
    extra = {replica.id for replica in surplus}
    starting = _starting(view, extra) | planned.postponed
    waiting = starting | {each.aim.service for each in planned.blocked}
    deleting = {service.name for service in view.services if service.phase is ServicePhase.DELETING}
    gone = {
        replica.id
        for replica in surplus
        if (replica.service in deleting or not _finishes(replica, view, catalog))
        and (
            replica.service in deleting
            or replica.phase not in _COMING
            or (replica.phase is not ReplicaPhase.WAKING and replica.service not in waiting)
        )
    }
    staying = [each for each in surplus if each.id not in gone and each.service not in starting]
    gone |= _in_the_way(view, staying, planned, gone)
    return all_unwanted(view, gone)


def _finishes(replica: Replica, view: FleetView, catalog: Catalog) -> bool:
    """Whether it is still loading, will be able to sleep, and is all that its service has."""
    return (
        replica.phase in _LOADING
        and can_sleep_at(replica.recipe, view.node(replica.node), catalog)
        and not any(each.id != replica.id and each.phase not in LEAVING for each in view.replicas_of(replica.service))
    )


def stuck(view: FleetView, planned: Plan) -> frozenset[Barred]:
    """What is aimed at, finds no room, and where nothing leaves, or is to leave, that would make any."""
    surplus = set(planned.surplus)
    going = {replica.node for replica in view.replicas if replica.phase in _GOING or replica.id in surplus}
    return frozenset(
        (blocked.aim.service, blocked.aim.way)
        for blocked in planned.blocked
        if going.isdisjoint(blocked.aim.kind.nodes)
    )


def unwanted(replica: Replica) -> Replica:
    """It begins to leave."""
    phase = advance(REPLICA_TRANSITIONS, replica.phase, ReplicaEvent.UNWANTED)
    return replace(replica, phase=phase or replica.phase, retry_s=0.0)


def all_unwanted(view: FleetView, gone: AbstractSet[ReplicaId]) -> FleetView:
    """The view in which these begin to leave."""
    if not gone:
        return view
    return replace(view, replicas=tuple(unwanted(each) if each.id in gone else each for each in view.replicas))


def _starting(view: FleetView, extra: set[ReplicaId]) -> set[ServiceName]:
    """Services that are to have a replica which has its place and is not ready yet."""
    return {
        replica.service
        for replica in view.replicas
        if replica.id not in extra and replica.phase not in OUT and replica.phase is not ReplicaPhase.READY
    }


def _in_the_way(view: FleetView, staying: list[Replica], planned: Plan, gone: set[ReplicaId]) -> set[ReplicaId]:
    """Of those that would stay a little longer, as many as make room for one of each that is blocked at their kind of nodes."""
    found: set[ReplicaId] = set()
    for blocked in planned.blocked:
        kind = blocked.aim.kind
        needed = kind.units_of(blocked.aim.recipe)
        needed -= sum(
            kind.units_of(replica.recipe)
            for replica in view.replicas
            if replica.node in kind.nodes
            and replica.recipe.chip == kind.chip
            and (replica.phase in _GOING or replica.id in gone | found)
        )
        for replica in staying:
            if needed <= 0:
                break
            if replica.node in kind.nodes and replica.recipe.chip == kind.chip and replica.id not in found:
                found.add(replica.id)
                needed -= kind.units_of(replica.recipe)
    return found
