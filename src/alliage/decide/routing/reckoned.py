"""What one more request at a replica would cost, as far as that does not depend on the request. Pure."""

from typing import Final

from alliage.decide.routing.habits import Habits
from alliage.fleet.routing import Tempo


_DOUBTED: Final = 8.0
"""So many requests' worth of doubt in what is seen of one replica's prompts: until then all of the service's count."""
_NEWEST_MIN: Final = 0.03


class Reads:
    """Seconds that the prompts of one replica take to read, and their squares: means that follow slowly."""

    __slots__ = ("count", "mean_s", "square")

    def __init__(self) -> None:
        self.count = 0
        self.mean_s = self.square = 0.0

    def add(self, read_s: float) -> None:
        """One more."""
        self.count += 1
        weight = max(_NEWEST_MIN, 1 / self.count)
        self.mean_s += weight * (read_s - self.mean_s)
        self.square += weight * (read_s * read_s - self.square)

    def among(self, all_s: float) -> tuple[float, float]:
        """Mean and mean square, where prompts of the service would take `all_s` in the mean (exponential)."""
        share = self.count / (self.count + _DOUBTED)
        return all_s + share * (self.mean_s - all_s), 2 * all_s * all_s + share * (self.square - 2 * all_s * all_s)


class Reckoned:
    """Seconds, where not said otherwise; `stamp` is that of the habits it was reckoned with."""

    __slots__ = (
        "batch", "first_s", "free_tokens", "held_s", "is_full", "kv_tokens", "near_s", "output_tokens", "pair_s", "per_output", "rest_held_s", "rest_s", "room_wait_s",
        "slot_wait_s", "stamp", "step_now_s", "step_s", "token_s", "turnover_s", "limit_s", "risk", "square", "stall", "stall_twice", "working",
    )  # fmt: skip

    def __init__(
        self,
        tempo: Tempo,
        habits: Habits,
        *,
        slots: int,
        batch: int,
        prompt_tokens: int,
        reads: float,
        slower: float,
        own: Reads,
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
        all_s = reads * (tempo.request_s + read * (tempo.prompt_token_s + read * tempo.prompt_pair_s))
        mean_s, self.square = own.among(all_s)
        self.turnover_s = mean_s / output
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
        self.limit_s = 0.0
        self.risk = self.stall = self.stall_twice = 0.0
        self.working = float(working)
        self.room_wait_s = output * now_s / worked if batch else 0.0
        """Until there is room for one token more."""

    def weigh_limit(self, limit_s: float) -> None:
        """How many would miss `limit_s` a token because of it: `risk`, and for each second that its prompt is read.

        The prompts that are read while an answer of n tokens is given come by chance (Poisson); n is exponential, of mean
        m. With b others, whose prompts take T seconds a token of this answer and of which the square is S in the mean, and
        with s seconds a token to spare, an answer is late with probability (1 - s / h) / 2, where h^2 = s^2 + 2 b S / m^2
        (the normal distribution of what n tokens wait, integrated over n). A prompt of r seconds more makes each of those
        who are there late with r b S / (m^3 h^3), its derivative for answers as they are met, and, where few others come,
        with (r / (m h))^2 / 2, that the answer is too short to make up for it.
        """
        others, mean, turn_s = self.working, self.output_tokens, self.turnover_s
        fewer, spread = max(0.0, others - 1.0), 2.0 * self.square / (mean * mean)
        before = _late(limit_s - self.step_now_s - fewer * turn_s, fewer * spread)
        spare_s = limit_s - self.step_s - others * turn_s
        after = _late(spare_s, others * spread)
        square = spare_s * spare_s + others * spread
        self.limit_s = limit_s
        self.risk = after + others * max(0.0, after - before)
        self.stall = others * others * spread / (2.0 * mean * square**1.5) if square else 0.0
        self.stall_twice = others / (2.0 * mean * mean * square) if square else 0.0

    def is_crowded(self, tokens: float) -> bool:
        """Whether a request with so long a prompt would have to wait for others to end."""
        return self.slot_wait_s > 0.0 or tokens > self.free_tokens


def _late(spare_s: float, spread: float) -> float:
    """The share of answers that take longer than they may."""
    square = spare_s * spare_s + spread
    if not square:
        return 0.5
    late: float = 0.5 * (1.0 - spare_s / square**0.5)
    return late
