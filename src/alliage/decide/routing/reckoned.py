"""What one more request at a replica would cost, as far as that does not depend on the request. Pure."""

from alliage.decide.routing.habits import Habits
from alliage.fleet.routing import Tempo


class Reckoned:
    """Seconds, where not said otherwise; `stamp` is that of the habits it was reckoned with."""

    __slots__ = (
        "batch", "first_s", "free_tokens", "held_s", "is_full", "kv_tokens", "near_s", "output_tokens", "pair_s", "per_output", "rest_held_s", "rest_s", "room_wait_s",
        "slot_wait_s", "stamp", "step_now_s", "step_s", "token_s", "turnover_s",
    )  # fmt: skip

    def __init__(
        self, tempo: Tempo, habits: Habits, *, slots: int, batch: int, prompt_tokens: int, reads: float, slower: float
    ) -> None:
        """`batch` requests are there, with so many `prompt_tokens`; it reads and decodes so many times slower than its tempo."""
        output, read = habits.output_tokens, habits.read_tokens
        held = prompt_tokens + batch * output / 2
        self.stamp = habits.stamp
        self.batch = float(batch)
        self.output_tokens = output
        self.kv_tokens = float(tempo.kv_tokens)
        self.free_tokens = tempo.kv_tokens - held - output
        """Tokens that a prompt may have to be begun at once."""
        self.held_s = held_s = slower * tempo.step_held_s
        working = min(batch, slots)
        worked = min(held * working / batch, tempo.kv_tokens) if batch else 0.0
        self.step_now_s = now_s = slower * tempo.decode_s(working, worked) if batch else 0.0
        """A step without it."""
        self.step_s = slower * tempo.decode_s(min(batch + 1, slots), worked + output / 2)
        """A step with it, but for the tokens of its prompt, `held_s` each."""
        self.token_s = reads * tempo.prompt_token_s + now_s / max(1, tempo.step_tokens - batch)
        """Each token read; others get theirs in the same steps."""
        self.pair_s = reads * tempo.prompt_pair_s
        self.first_s = reads * tempo.request_s + 1.5 * now_s
        """Of a first token: half of the step under way, and others' part of the one that ends with it."""
        self.turnover_s = (
            reads * (tempo.request_s + read * (tempo.prompt_token_s + read * tempo.prompt_pair_s)) / output
        )
        """How much longer a token takes for each other request: one that ends is followed by one that is read."""
        harm_s = batch * output / 2 * (self.step_s - now_s)
        self.rest_s = output * (self.step_s + batch * self.turnover_s) + harm_s
        """From the first token to the last, and what others lose by longer steps."""
        self.rest_held_s = (output + batch * output / 2) * held_s
        """The same for each token of its prompt."""
        self.slot_wait_s = (batch - slots + 1) * output * now_s / slots if batch >= slots else 0.0
        """Until there is a slot."""
        self.is_full = batch >= slots
        self.near_s = self.step_s + batch * self.turnover_s
        """A token after the first, and what others then get theirs in, but for its own prompt."""
        self.per_output = 1 / output
        self.room_wait_s = output * now_s / worked if batch else 0.0
        """Until there is room for one token more."""

    def is_crowded(self, tokens: float) -> bool:
        """Whether a request with so long a prompt would have to wait for others to end."""
        return self.slot_wait_s > 0.0 or tokens > self.free_tokens
