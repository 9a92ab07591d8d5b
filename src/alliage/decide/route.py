"""route: request -> replica. In microseconds, on the gateway's data path: plain loops over plain values."""

from collections.abc import Mapping, Sequence

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream


def choose_upstream(
    upstreams: Sequence[Upstream],
    in_flight: Mapping[ReplicaId, int],
    excluded: frozenset[ReplicaId] = frozenset(),
) -> Upstream | None:
    """The replica with the least requests a slot; the first of equals. None when all are excluded."""
    best: Upstream | None = None
    best_load = 0.0
    for upstream in upstreams:
        if upstream.replica in excluded:
            continue
        load = in_flight.get(upstream.replica, 0) / max(upstream.concurrency, 1)
        if best is None or load < best_load:
            best, best_load = upstream, load
    return best
