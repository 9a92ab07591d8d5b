"""route: request -> replica. In microseconds, on the gateway's data path: plain loops over plain values."""

from collections.abc import Mapping, Sequence

from alliage.decide.routing.board import Board
from alliage.decide.routing.cost import expect
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.fleet.services import UNASKED, Objective


def choose(
    upstreams: Sequence[Upstream],
    prompt: Prompt,
    board: Board,
    *,
    service: str,
    now_s: float,
    objective: Objective = UNASKED,
    excluded: frozenset[ReplicaId] = frozenset(),
) -> Upstream | None:
    """The replica with the least cost (`routing.cost`); of equals the one that was not chosen for longest.

    None when all are excluded. Where the speed of one is not known they cannot be held against each other: then the one
    with the least requests a slot. Only `upstreams` are ever chosen, so whoever may not answer must not be among them.
    """
    habits = board.habits(service)
    best: Upstream | None = None
    best_s, best_turn = 0.0, 0
    for upstream in upstreams:
        if upstream.replica in excluded:
            continue
        lane = board.lane(upstream)
        found = expect(lane, habits, prompt, now_s, objective)
        if found is None:
            return least_requests(upstreams, board, excluded)
        cost_s = found.cost_s
        if best is None or cost_s < best_s or (cost_s == best_s and lane.turn < best_turn):
            best, best_s, best_turn = upstream, cost_s, lane.turn
    return best


def least_requests(
    upstreams: Sequence[Upstream], board: Board, excluded: frozenset[ReplicaId] = frozenset()
) -> Upstream | None:
    """The replica with the least requests a slot; of equals the one that was not chosen for longest."""
    best: Upstream | None = None
    best_load, best_turn = 0.0, 0
    for upstream in upstreams:
        if upstream.replica in excluded:
            continue
        lane = board.lane(upstream)
        load = lane.batch / max(upstream.concurrency, 1)
        if best is None or load < best_load or (load == best_load and lane.turn < best_turn):
            best, best_load, best_turn = upstream, load, lane.turn
    return best


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
