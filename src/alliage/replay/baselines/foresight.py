"""Kernel of the clairvoyant baseline: plays one replica's batching to its end, as if nobody else came. Also run compiled.

The same steps as `speed.batching` (a test holds them against each other), but for giving way where the cache is full.
"""
# ruff: noqa: PLR0917, PLR0915, C901, PLR0912 - compiled functions take arrays by position, and are flat

from math import inf

import numpy as np
from numpy.typing import NDArray

PROMPT, FILLED, CHUNK, LEFT, OUTPUT, ARRIVED_S, FIRST_S, HIT = range(8)
"""Columns of a member; `FIRST_S` is NaN before its first token."""
ALWAYS_S, EACH_S, READ_RATE, STATE_BYTES, TOKEN_BYTES, TOKEN_S, POWER, RATE, FIRST_READ_S, READ_S, PAIR_S, SLOW = range(
    12
)
"""Figures of a pace."""
KERNELS = ("_step_s", "foresee")


def _step_s(batch: int, context: float, figures: NDArray[np.float64], touched: NDArray[np.float64]) -> float:
    if not batch:
        return 0.0
    read_bytes = touched[batch] + batch * figures[STATE_BYTES] + context * figures[TOKEN_BYTES]
    read_s, compute_s, power = read_bytes / figures[READ_RATE], batch * figures[TOKEN_S], figures[POWER]
    both_s: float = (read_s**power + compute_s**power) ** (1 / power)
    step_s: float = (figures[ALWAYS_S] + both_s + batch * figures[EACH_S]) / figures[RATE]
    return step_s


def foresee(
    members: NDArray[np.float64],
    decoding: int,
    reading: int,
    due_s: float,
    used_tokens: float,
    figures: NDArray[np.float64],
    touched: NDArray[np.float64],
    slots: int,
    step_tokens: int,
    kv_tokens: float,
    ttft_s: float,
    tpot_s: float,
    to_the_end: bool,  # noqa: FBT001
) -> tuple[float, int]:
    """When the last of `members` has its last token, and how many of them miss an objective (all, or those before it).

    Members: `decoding` of them decode, `reading` are read after those, the others wait. `due_s`: the end of the step.
    """
    count = len(members)
    state = np.zeros(count, np.int64)  # 0 waits, 1 is read, 2 decodes, 3 is over
    state[:decoding] = 2
    state[decoding : decoding + reading] = 1
    context = 0.0
    for at in range(decoding):
        context += members[at, PROMPT] + members[at, OUTPUT] - members[at, LEFT]
    now_s, open_ones, missed, next_waiting = due_s, count, 0, decoding + reading
    held = members[:, PROMPT].copy()
    for at in range(decoding):
        held[at] += members[at, OUTPUT] - members[at, LEFT]
    while True:
        has_chunk = False
        context += decoding
        used_tokens += decoding
        for at in range(count):
            ends = False
            if state[at] == 2:
                members[at, LEFT] -= 1
                held[at] += 1
                ends = members[at, LEFT] <= 0
            elif members[at, CHUNK] > 0:
                members[at, FILLED] += members[at, CHUNK]
                members[at, CHUNK] = 0.0
                if members[at, FILLED] >= members[at, PROMPT]:
                    if np.isnan(members[at, FIRST_S]):
                        members[at, FIRST_S] = now_s
                    members[at, LEFT] -= 1
                    held[at] += 1
                    reading -= 1
                    ends = members[at, LEFT] <= 0
                    state[at] = 2
                    decoding += 1
                    context += held[at]
            if ends:
                state[at] = 3
                open_ones -= 1
                decoding -= 1
                context -= held[at]
                used_tokens -= held[at]
                late = members[at, FIRST_S] - members[at, ARRIVED_S] > ttft_s
                late = late or now_s - members[at, FIRST_S] > tpot_s * max(1.0, members[at, OUTPUT] - 1)
                missed += late
                if at == count - 1:
                    last_s = now_s
                    if not to_the_end:
                        return last_s, missed
        if not open_ones:
            return last_s, missed
        budget = float(step_tokens - decoding)
        read_s = 0.0
        for at in range(count):
            if budget <= 0:
                break
            if state[at] == 0:
                room = members[at, PROMPT] - members[at, HIT] + 1
                if at != next_waiting or decoding + reading >= slots or used_tokens + room > kv_tokens:
                    break
                next_waiting += 1
                state[at] = 1
                reading += 1
                used_tokens += room
                members[at, FILLED] = members[at, HIT]
            if state[at] == 1:
                has_chunk = True
                start, tokens = members[at, FILLED], min(budget, members[at, PROMPT] - members[at, FILLED])
                budget -= tokens
                members[at, CHUNK] = tokens
                end = start + tokens
                read_s += tokens * figures[READ_S] + (end * end - start * start) * figures[PAIR_S]
                if start == members[at, HIT]:
                    read_s += figures[FIRST_READ_S]
        if not decoding and not has_chunk:
            return inf, missed + open_ones  # the cache has no room, and nobody gives way here
        now_s += (_step_s(decoding, context, figures, touched) + read_s) * figures[SLOW]
        if not has_chunk and decoding:
            least = inf
            for at in range(count):
                if state[at] == 2:
                    least = min(least, members[at, LEFT])
            glided = 0
            while glided < least - 1:
                context += decoding
                glided += 1
                now_s += _step_s(decoding, context, figures, touched) * figures[SLOW]
            used_tokens += glided * decoding
            for at in range(count):
                if state[at] == 2:
                    members[at, LEFT] -= glided
                    held[at] += glided
