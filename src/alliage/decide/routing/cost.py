"""What a request at a replica would cost: its own time to finish, what it takes from others, objectives missed. Pure.

Own time: the prompts before it, its own less what the replica holds of it, its answer in the batch that will be there;
in the mean each of the others is followed by one whose prompt is read meanwhile. Time of others: all wait while its
prompt is read, and their steps grow. An answer is taken to be as long as those to prompts of that size are in the mean, also
from here on (as if it ended by chance). An objective counts as missed as far as that is likely (`routing.chance`).
"""

from math import sqrt
from typing import Final

from alliage.decide.routing.lane import Lane
from alliage.decide.routing.reckoned import Reckoned

_MISS_TIMES: Final = 24.0
"""What a missed objective costs: so many times the time that it allows an answer."""
_FOLLOWERS: Final = 4.0
"""Where requests wait for a slot, those who come after it wait longer too: so many for each who waits."""
_UNSURE: Final = 0.02
"""The variance of an expected time, in its squares."""
_NEVER_S: Final = 1e9
"""The wait at a place where the prompt does not fit."""


def reading_s(known: Reckoned, tokens: float, unread: float) -> float:
    """Seconds of the engine for the last `unread` of a prompt's tokens."""
    return unread * (known.token_s + (tokens + tokens - unread) * known.pair_s)


def waiting_s(lane: Lane, known: Reckoned, tokens: float, now_s: float) -> float:
    """Seconds until its prompt is begun: others' are read before it, or there is no slot or no room for it yet.

    A prompt that is overdue may take as long again as it is late: a replica that hangs seems slower and slower.
    """
    wait_s = lane.read_due_s - now_s
    if wait_s < 0.0:
        wait_s = -wait_s if lane.streams_awaited else 0.0
    if known.is_full:
        wait_s = max(wait_s, known.slot_wait_s)
    if tokens > known.free_tokens and known.batch:
        wait_s = max(wait_s, (tokens - known.free_tokens) * known.room_wait_s)
    if tokens > known.kv_tokens:
        wait_s += _NEVER_S
    return wait_s


def token_s(known: Reckoned, tokens: float) -> float:
    """Seconds a token after the first, with the prompts that are read meanwhile."""
    return known.near_s + tokens * known.held_s


def weigh(  # noqa: PLR0917 - it runs for each replica that is looked at, and names cost time
    lane: Lane,
    known: Reckoned,
    tokens: float,
    unread: float,
    output: float,
    now_s: float,
    ttft_s_max: float,
    tpot_s_max: float,
    miss_s: float,
) -> float:
    """The cost in seconds, the request's and the others'; `output` is what its answer is expected to be, in tokens.

    `ttft_s_max` and `tpot_s_max` are what is promised, 0 where nothing is, `miss_s` what missing it costs. Calls would cost
    more than what `late_share` does, so it stands here twice.
    """
    read_s = unread * (known.token_s + (tokens + tokens - unread) * known.pair_s)
    ttft_s = known.first_s + read_s
    if lane.read_due_s > now_s or lane.streams_awaited or known.is_full or tokens > known.free_tokens:
        ttft_s += waiting_s(lane, known, tokens, now_s)
    rest_s = output * (known.near_s + tokens * known.held_s)
    cost_s = ttft_s + rest_s + known.others_s + tokens * known.rest_held_s + known.batch * read_s
    missed = 0.0
    if ttft_s_max:
        spare_s = ttft_s_max - ttft_s
        square = spare_s * spare_s + _UNSURE * ttft_s * ttft_s + known.slot_wait_s * known.slot_gap_s
        missed = (0.5 - 0.5 * spare_s / sqrt(square)) * (1.0 + _FOLLOWERS * known.waiting) if square else 0.5
    if tpot_s_max:
        if known.limit_s != tpot_s_max:
            known.weigh_limit(tpot_s_max)
        spare_s = known.spare_s
        square = spare_s * spare_s + known.spread / output
        own = 0.5 - 0.5 * spare_s / sqrt(square) if square else 0.5
        missed += own + known.risk + read_s * (known.stall + read_s * known.stall_twice)
    return cost_s + missed * miss_s


def missing_s(ttft_s_max: float, tpot_s_max: float, output_tokens: float) -> float:
    """What missing an objective costs; 0 where nothing is promised."""
    return _MISS_TIMES * (ttft_s_max + output_tokens * tpot_s_max)
