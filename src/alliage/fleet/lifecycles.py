"""Lifecycles as tables: phase x event -> phase. What is not in a table cannot happen.

Each `*_TRANSITIONS` is the whole truth about its noun; `advance` is the only reader.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar


class NodePhase(StrEnum):
    """`unreachable`: control lost it, what runs there is left alone. `lost`: nobody reaches it, what ran there is gone."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    LOST = "lost"


class NodeEvent(StrEnum):
    HEARD = "heard"
    SILENT = "silent"
    LOST = "lost"


NODE_TRANSITIONS: Final[Mapping[tuple[NodePhase, NodeEvent], NodePhase]] = {
    (NodePhase.READY, NodeEvent.HEARD): NodePhase.READY,
    (NodePhase.READY, NodeEvent.SILENT): NodePhase.UNREACHABLE,
    (NodePhase.UNREACHABLE, NodeEvent.HEARD): NodePhase.READY,
    (NodePhase.READY, NodeEvent.LOST): NodePhase.LOST,
    (NodePhase.UNREACHABLE, NodeEvent.SILENT): NodePhase.UNREACHABLE,
    (NodePhase.UNREACHABLE, NodeEvent.LOST): NodePhase.LOST,
    (NodePhase.LOST, NodeEvent.HEARD): NodePhase.READY,
    (NodePhase.LOST, NodeEvent.SILENT): NodePhase.LOST,
}


class ServicePhase(StrEnum):
    """`unserved`: no chip can serve it now, the decision record says why. `deleting` ends with the row gone.

    `idle`: nobody asks for it, so that it has no replica; the first request brings one.
    """

    STARTING = "starting"
    READY = "ready"
    UNSERVED = "unserved"
    IDLE = "idle"
    DELETING = "deleting"


class ServiceEvent(StrEnum):
    SERVED = "served"
    LOST = "lost"
    REFUSED = "refused"
    ASKED = "asked"
    RESTED = "rested"
    DELETED = "deleted"


SERVICE_TRANSITIONS: Final[Mapping[tuple[ServicePhase, ServiceEvent], ServicePhase]] = {
    (ServicePhase.STARTING, ServiceEvent.SERVED): ServicePhase.READY,
    (ServicePhase.STARTING, ServiceEvent.REFUSED): ServicePhase.UNSERVED,
    (ServicePhase.STARTING, ServiceEvent.RESTED): ServicePhase.IDLE,
    (ServicePhase.STARTING, ServiceEvent.DELETED): ServicePhase.DELETING,
    (ServicePhase.READY, ServiceEvent.LOST): ServicePhase.STARTING,
    (ServicePhase.READY, ServiceEvent.REFUSED): ServicePhase.UNSERVED,
    (ServicePhase.READY, ServiceEvent.RESTED): ServicePhase.IDLE,
    (ServicePhase.READY, ServiceEvent.DELETED): ServicePhase.DELETING,
    (ServicePhase.UNSERVED, ServiceEvent.ASKED): ServicePhase.STARTING,
    (ServicePhase.UNSERVED, ServiceEvent.SERVED): ServicePhase.READY,
    (ServicePhase.UNSERVED, ServiceEvent.RESTED): ServicePhase.IDLE,
    (ServicePhase.UNSERVED, ServiceEvent.DELETED): ServicePhase.DELETING,
    (ServicePhase.IDLE, ServiceEvent.ASKED): ServicePhase.STARTING,
    (ServicePhase.IDLE, ServiceEvent.LOST): ServicePhase.STARTING,
    (ServicePhase.IDLE, ServiceEvent.SERVED): ServicePhase.READY,
    (ServicePhase.IDLE, ServiceEvent.REFUSED): ServicePhase.UNSERVED,
    (ServicePhase.IDLE, ServiceEvent.DELETED): ServicePhase.DELETING,
}


class ReplicaPhase(StrEnum):
    """`backoff` waits after an engine that ended by itself; `stopped` is the end, the row goes with it.

    `resting` is out of the routing table and ends its requests, `dozing` is told to sleep, `asleep` holds no device and keeps
    its weights in the node's memory, `waking` holds its devices again and is not ready yet.
    """

    BOUND = "bound"
    FETCHING = "fetching"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    RESTING = "resting"
    DOZING = "dozing"
    ASLEEP = "asleep"
    WAKING = "waking"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


LEAVING: Final = frozenset({ReplicaPhase.DRAINING, ReplicaPhase.STOPPING, ReplicaPhase.STOPPED})
"""Nobody wants it any more."""
ABED: Final = frozenset({ReplicaPhase.RESTING, ReplicaPhase.DOZING, ReplicaPhase.ASLEEP})
"""It is not wanted now, and need not be loaded again when it is."""
OUT: Final = LEAVING | ABED
"""It is none of those that serve or are about to."""


class ReplicaEvent(StrEnum):
    FETCH_BEGUN = "fetch_begun"
    ENGINE_STARTED = "engine_started"
    ENGINE_READY = "engine_ready"
    ENGINE_ILL = "engine_ill"
    ENGINE_ASLEEP = "engine_asleep"
    ENGINE_ENDED = "engine_ended"
    RETRY_DUE = "retry_due"
    UNWANTED = "unwanted"
    RESTED = "rested"
    WANTED = "wanted"
    DRAINED = "drained"
    GONE = "gone"
    NODE_LOST = "node_lost"


_P, _E = ReplicaPhase, ReplicaEvent
REPLICA_TRANSITIONS: Final[Mapping[tuple[ReplicaPhase, ReplicaEvent], ReplicaPhase]] = {
    (_P.BOUND, _E.FETCH_BEGUN): _P.FETCHING,
    (_P.BOUND, _E.ENGINE_STARTED): _P.STARTING,
    (_P.BOUND, _E.ENGINE_READY): _P.READY,
    (_P.BOUND, _E.ENGINE_ENDED): _P.BACKOFF,
    (_P.BOUND, _E.UNWANTED): _P.STOPPING,
    (_P.FETCHING, _E.FETCH_BEGUN): _P.FETCHING,
    (_P.FETCHING, _E.ENGINE_STARTED): _P.STARTING,
    (_P.FETCHING, _E.ENGINE_READY): _P.READY,
    (_P.FETCHING, _E.ENGINE_ENDED): _P.BACKOFF,
    (_P.FETCHING, _E.UNWANTED): _P.STOPPING,
    (_P.STARTING, _E.FETCH_BEGUN): _P.FETCHING,
    (_P.STARTING, _E.ENGINE_STARTED): _P.STARTING,
    (_P.STARTING, _E.ENGINE_READY): _P.READY,
    (_P.STARTING, _E.ENGINE_ENDED): _P.BACKOFF,
    (_P.STARTING, _E.UNWANTED): _P.DRAINING,
    (_P.READY, _E.ENGINE_READY): _P.READY,
    (_P.READY, _E.ENGINE_ILL): _P.STARTING,
    (_P.READY, _E.ENGINE_STARTED): _P.STARTING,
    (_P.READY, _E.FETCH_BEGUN): _P.FETCHING,
    (_P.READY, _E.ENGINE_ENDED): _P.BACKOFF,
    (_P.READY, _E.UNWANTED): _P.DRAINING,
    (_P.READY, _E.ENGINE_ASLEEP): _P.WAKING,
    (_P.READY, _E.RESTED): _P.RESTING,
    (_P.RESTING, _E.WANTED): _P.READY,
    (_P.RESTING, _E.DRAINED): _P.DOZING,
    (_P.RESTING, _E.ENGINE_ENDED): _P.STOPPING,
    (_P.RESTING, _E.UNWANTED): _P.DRAINING,
    (_P.DOZING, _E.ENGINE_ASLEEP): _P.ASLEEP,
    (_P.DOZING, _E.ENGINE_ENDED): _P.STOPPING,
    (_P.DOZING, _E.UNWANTED): _P.STOPPING,
    (_P.ASLEEP, _E.WANTED): _P.WAKING,
    (_P.ASLEEP, _E.ENGINE_ENDED): _P.STOPPING,
    (_P.ASLEEP, _E.UNWANTED): _P.STOPPING,
    (_P.WAKING, _E.ENGINE_READY): _P.READY,
    (_P.WAKING, _E.ENGINE_ENDED): _P.BACKOFF,
    (_P.WAKING, _E.UNWANTED): _P.STOPPING,
    (_P.BACKOFF, _E.RETRY_DUE): _P.BOUND,
    (_P.BACKOFF, _E.UNWANTED): _P.STOPPING,
    (_P.DRAINING, _E.DRAINED): _P.STOPPING,
    (_P.DRAINING, _E.ENGINE_ENDED): _P.STOPPING,
    (_P.STOPPING, _E.GONE): _P.STOPPED,
    **{(phase, _E.NODE_LOST): _P.STOPPED for phase in _P if phase is not _P.STOPPED},
}

_Phase = TypeVar("_Phase", bound=StrEnum)
_Event = TypeVar("_Event", bound=StrEnum)


def advance(table: Mapping[tuple[_Phase, _Event], _Phase], phase: _Phase, event: _Event) -> _Phase | None:
    """The phase after `event`, or None where the table has no such transition (the caller ignores the event)."""
    return table.get((phase, event))
