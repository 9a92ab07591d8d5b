"""What one more request at a replica would cost, as far as it does not depend on the request. Pure."""

from alliage.decide.routing.habits import Habits
from alliage.fleet.routing import Tempo


class Reckoned:
    """What is the same for all requests that a lane might get next. Names end in what the figure grows with."""

    __slots__ = (
        "batch", "fixed_s", "free_tokens", "harm_held_s", "harm_s", "held_s", "kv_tokens", "kv_wait_s", "output_tokens", "pair_s", "slot_wait_s",
        "stamp", "step_now_s", "step_s", "token_s", "turnover_s",
    )  # fmt: skip

    def __init__(
        self, tempo: Tempo, habits: Habits, *, slots: int, batch: int, prompt_tokens: int, reads: float, slower: float
    ) -> None:
        """`batch` requests are there, with so many `prompt_tokens`; it reads and decodes so many times slower than its tempo."""
        output, read = habits.output_tokens, habits.read_tokens
        held = prompt_tokens + batch * output / 2
        self.stamp = habits.stamp
        self.batch = batch
        self.output_tokens = output
        self.kv_tokens = tempo.kv_tokens
        self.free_tokens = tempo.kv_tokens - held - output
        self.held_s = held_s = slower * tempo.step_held_s
        each_s = slower * tempo.step_request_s
        base_s = slower * tempo.step_s
        now_s = base_s + min(batch, slots) * each_s + held * held_s if batch else 0.0
        self.step_now_s = now_s
        self.step_s = base_s + min(batch + 1, slots) * each_s + (held + output / 2) * held_s
        self.token_s = reads * tempo.prompt_token_s + now_s / max(1, tempo.step_tokens - batch)
        self.pair_s = reads * tempo.prompt_pair_s
        self.fixed_s = (
            reads * tempo.request_s + 1.5 * now_s
        )  # half of the step under way, and the one of its own last part
        self.turnover_s = (
            reads * (tempo.request_s + read * (tempo.prompt_token_s + read * tempo.prompt_pair_s)) / output
        )
        self.harm_s = batch * output / 2 * (each_s + output / 2 * held_s)
        self.harm_held_s = batch * output / 2 * held_s
        self.slot_wait_s = (batch - slots + 1) * output * now_s / slots if batch >= slots else 0.0
        self.kv_wait_s = output * now_s / held if held else 0.0
