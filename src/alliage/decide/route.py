"""route: request -> replica. In microseconds, on the gateway's data path: plain loops over plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alliage.decide.routing.board import LOOKED_AT_MAX, Board
from alliage.decide.routing.cost import missing_s, reading_s, token_s, waiting_s, weigh
from alliage.decide.routing.prompt import Prompt
from alliage.decide.routing.roster import Roster, Seat
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
    seat = choose_seat(board.roster(service, upstreams, objective), prompt, board, now_s, excluded)
    return None if seat is None else seat.upstream


def choose_seat(
    roster: Roster, prompt: Prompt, board: Board, now_s: float, excluded: frozenset[ReplicaId]
) -> Seat | None:
    """The same of a roster that the board made."""
    seats = roster.seats
    if len(seats) == 1:
        return None if seats[0].replica in excluded else seats[0]
    if len(seats) > LOOKED_AT_MAX:
        best = _cheapest(_some(seats, prompt, board), roster, prompt, now_s, excluded)
        if best is not None:
            return best
    return _cheapest(seats, roster, prompt, now_s, excluded)


def _cheapest(
    seats: list[Seat], roster: Roster, prompt: Prompt, now_s: float, excluded: frozenset[ReplicaId]
) -> Seat | None:
    habits, ttft_s_max, tpot_s_max = roster.habits, roster.ttft_s_max, roster.tpot_s_max
    tokens, stamp, output = float(prompt.tokens), habits.stamp, habits.expected(prompt.tokens)
    miss_s = missing_s(ttft_s_max, tpot_s_max, output)
    has_blocks, are_excluded = len(prompt.blocks) > 0, len(excluded) > 0
    best: Seat | None = None
    best_s, best_turn = 0.0, 0
    for seat in seats:
        if are_excluded and seat.replica in excluded:
            continue
        lane = seat.lane
        known = lane.reckoned
        if known is None or lane.is_stale or known.stamp != stamp:
            known = lane.reckon(habits)
            if known is None:
                tempo = slowest([each.upstream for each in seats])
                if tempo is None:
                    return _least_requests(seats, excluded)
                lane.assume(tempo)
                known = lane.reckon(habits)
                if known is None:
                    continue
        unread = tokens - lane.prefixes.held(prompt) if has_blocks else tokens
        cost_s = weigh(lane, known, tokens, unread, output, now_s, ttft_s_max, tpot_s_max, miss_s)
        if best is None or cost_s < best_s or (cost_s == best_s and lane.turn < best_turn):
            best, best_s, best_turn = seat, cost_s, lane.turn
    return best


def slowest(upstreams: Sequence[Upstream]) -> Tempo | None:
    """The tempo with the longest step of a usual batch; None where none has any."""
    known = [upstream.tempo for upstream in upstreams if upstream.tempo is not None]
    return max(known, key=lambda tempo: tempo.decode_s(_BATCH, _BATCH * _HELD_TOKENS), default=None)


def _some(seats: list[Seat], prompt: Prompt, board: Board) -> list[Seat]:
    """As many as are looked at for one request, others for the next one, and who was last sent what begins alike."""
    start = board.turns * LOOKED_AT_MAX % len(seats)
    some = seats[start : start + LOOKED_AT_MAX]
    some += seats[: LOOKED_AT_MAX - len(some)]
    holder = board.holder(prompt)
    if holder is not None:
        some += [seat for seat in seats if seat.replica == holder]
    return some


def _least_requests(seats: list[Seat], excluded: frozenset[ReplicaId]) -> Seat | None:
    """The replica with the least requests a slot; of equals the one that was not chosen for longest."""
    best: Seat | None = None
    best_load, best_turn = 0.0, 0
    for seat in seats:
        if seat.replica in excluded:
            continue
        lane = seat.lane
        load = lane.batch / max(seat.upstream.concurrency, 1)
        if best is None or load < best_load or (load == best_load and lane.turn < best_turn):
            best, best_load, best_turn = seat, load, lane.turn
    return best


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
