"""What a request at a replica would cost: its own time to finish, what it takes from others, objectives missed. Pure.

Own time: the prompts before it, its own less what the replica holds of it, its answer in the batch that will be there;
in the mean each of the others is followed by one whose prompt is read meanwhile. Time of others: all wait while its
prompt is read, and their steps grow. Answers are taken to be as long as the service's are in the mean, also from here on
(as if they ended by chance). An objective counts as missed by degrees, from `_SAFE` to `_LOST` times its limit.
"""

from typing import Final

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.lane import Lane
from alliage.decide.routing.prompt import Prompt
from alliage.decide.routing.reckoned import Reckoned
from alliage.fleet.services import Objective

_SAFE: Final = 0.7
_LOST: Final = 1.2
_MISS_TIMES: Final = 4.0
"""What a missed objective costs: so many times the time that it allows an answer."""
_NEVER_S: Final = 1e9
"""The cost of a place where the prompt does not fit."""


class Expected:
    """What a request at a lane is expected to see, and `cost_s` what that and the harm to others weigh."""

    __slots__ = ("cost_s", "read_s", "tpot_s", "ttft_s")

    def __init__(self, lane: Lane, known: Reckoned, prompt: Prompt, now_s: float, objective: Objective) -> None:
        tokens, output, batch = prompt.tokens, known.output_tokens, known.batch
        unread = tokens - lane.prefixes.held(prompt)
        self.read_s = read_s = unread * (known.token_s + (2 * tokens - unread) * known.pair_s)
        wait_s = max(lane.wait_s(now_s), known.slot_wait_s)
        if tokens > known.free_tokens:
            wait_s = max(wait_s, (tokens - known.free_tokens) * known.kv_wait_s)
        self.ttft_s = ttft_s = wait_s + known.fixed_s + read_s
        step_s = known.step_s + tokens * known.held_s
        self.tpot_s = tpot_s = step_s + batch * known.turnover_s
        cost_s = ttft_s + output * tpot_s + known.harm_s + tokens * known.harm_held_s + batch * read_s
        missed = 0.0
        allowed_s = 0.0
        if (limit_s := objective.ttft_s) is not None:
            missed += _missed(ttft_s / limit_s)
            allowed_s += limit_s
        if (limit_s := objective.tpot_s) is not None:
            missed = max(missed, _missed(tpot_s / limit_s))
            allowed_s += output * limit_s
            if batch:
                before_s = known.step_now_s + (batch - 1) * known.turnover_s
                after_s = step_s + (batch - 1) * known.turnover_s + read_s / output
                missed += batch * max(0.0, _missed(after_s / limit_s) - _missed(before_s / limit_s))
        if tokens > known.kv_tokens:
            cost_s += _NEVER_S
        self.cost_s = cost_s + _MISS_TIMES * allowed_s * missed


def _missed(share: float) -> float:
    return min(1.0, max(0.0, (share - _SAFE) / (_LOST - _SAFE)))


def expect(lane: Lane, habits: Habits, prompt: Prompt, now_s: float, objective: Objective) -> Expected | None:
    """What a request would see there; None where the replica's speed is not known."""
    known = lane.reckon(habits)
    return None if known is None else Expected(lane, known, prompt, now_s, objective)
