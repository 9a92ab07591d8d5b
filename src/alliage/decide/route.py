"""route: request -> replica. In microseconds, on the gateway's data path: plain loops over plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alliage.decide.routing.board import LOOKED_AT_MAX, Board
from alliage.decide.routing.cost import missing_s, reading_s, token_s, waiting_s, weigh
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Tempo, Upstream
from alliage.fleet.services import UNASKED, Objective

_BATCH: Final = 8
_HELD_TOKENS: Final = 1024


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

    None when all are excluded. One whose speed is not known is taken for as fast as the slowest of the others, until it is
    seen at work; where nobody's is, the one with the least requests a slot is chosen. Only `upstreams` are ever chosen, so
    whoever may not answer must not be among them.
    """
    if len(upstreams) == 1:
        return None if upstreams[0].replica in excluded else upstreams[0]
    promised = (objective.ttft_s or 0.0, objective.tpot_s or 0.0)
    habits = board.habits(service)
    if len(upstreams) > LOOKED_AT_MAX:
        some = _some(upstreams, prompt, board)
        best = _cheapest(some, prompt, board, habits, now_s, promised, excluded)
        if best is not None:
            return best
    return _cheapest(upstreams, prompt, board, habits, now_s, promised, excluded)


def _cheapest(  # noqa: PLR0917 - names cost time
    upstreams: Sequence[Upstream],
    prompt: Prompt,
    board: Board,
    habits: Habits,
    now_s: float,
    promised: tuple[float, float],
    excluded: frozenset[ReplicaId],
) -> Upstream | None:
    lanes, tokens, stamp = board.lanes, float(prompt.tokens), habits.stamp
    output = habits.expected(prompt.tokens)
    ttft_s_max, tpot_s_max = promised
    miss_s = missing_s(ttft_s_max, tpot_s_max, output)
    first = prompt.blocks[0] if prompt.blocks else None
    best: Upstream | None = None
    best_s, best_turn = 0.0, 0
    for upstream in upstreams:
        replica = upstream.replica
        if excluded and replica in excluded:
            continue
        lane = lanes.get(replica) or board.lane(upstream)
        known = lane.reckoned
        if known is None or lane.is_stale or known.stamp != stamp:
            known = lane.reckon(habits)
            if known is None:
                tempo = slowest(upstreams)
                if tempo is None:
                    return least_requests(upstreams, board, excluded)
                lane.assume(tempo)
                known = lane.reckon(habits)
                if known is None:
                    continue
        unread = tokens if first is None else tokens - lane.prefixes.held(prompt)
        cost_s = weigh(lane, known, tokens, unread, output, now_s, ttft_s_max, tpot_s_max, miss_s)
        if best is None or cost_s < best_s or (cost_s == best_s and lane.turn < best_turn):
            best, best_s, best_turn = upstream, cost_s, lane.turn
    return best


def slowest(upstreams: Sequence[Upstream]) -> Tempo | None:
    """The tempo with the longest step of a usual batch; None where none has any."""
    known = [upstream.tempo for upstream in upstreams if upstream.tempo is not None]
    return max(known, key=lambda tempo: tempo.decode_s(_BATCH, _BATCH * _HELD_TOKENS), default=None)


def _some(upstreams: Sequence[Upstream], prompt: Prompt, board: Board) -> list[Upstream]:
    """As many as are looked at for one request, others for the next one, and who was last sent what begins alike."""
    start = board.turns * LOOKED_AT_MAX % len(upstreams)
    some = list(upstreams[start : start + LOOKED_AT_MAX])
    some += upstreams[: LOOKED_AT_MAX - len(some)]
    holder = board.holder(prompt)
    if holder is not None:
        some += [upstream for upstream in upstreams if upstream.replica == holder]
    return some


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a request is expected to see at a replica: seconds to its first token, and a token after it."""

    ttft_s: float
    tpot_s: float


def foresee(
    upstream: Upstream, prompt: Prompt, board: Board, *, service: str, now_s: float, has_slot: bool = False
) -> Foreseen | None:
    """For a request that is sent there now, or (`has_slot`) once there is a slot; None where the replica's speed is not known."""
    lane = board.lane(upstream)
    known = lane.reckon(board.habits(service))
    if known is None:
        return None
    tokens = prompt.tokens
    read_s = reading_s(known, tokens, tokens - lane.prefixes.held(prompt))
    wait_s = max(0.0, lane.read_due_s - now_s) if has_slot else waiting_s(lane, known, tokens, now_s)
    return Foreseen(
        ttft_s=wait_s + known.first_s + read_s,
        tpot_s=token_s(known, tokens),
    )


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
