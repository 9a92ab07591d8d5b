"""What one more request at a replica would cost, as far as that does not depend on the request. Pure.

It is made anew at each change of a replica's work, so it is made in place, in few operations and on floats alone (Python
multiplies those several times faster than mixed with ints). What only changes with what is learned is kept apart.
"""

from math import sqrt
from typing import Final

from alliage.decide.routing.chance import Reads, late_share
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.learned import Learned
from alliage.fleet.routing import Tempo

_MOVED: Final = 0.03
"""A factor that was learned is taken over when it has moved by more than this."""


class Reckoned:
    """Seconds, where not said otherwise."""

    __slots__ = (
        "_all_outputs", "_all_s", "_each_s", "_empty_s", "_experts_missed", "_experts_s", "_read_s", "_request_s", "_slots",
        "_square", "_step_tokens", "_working", "batch", "decoding", "first_s", "free_tokens", "held_s", "is_full", "kv_tokens",
        "limit_s", "near_s", "others_s", "output_tokens", "pair_s", "per_output", "reading", "rest_held_s", "risk", "room_wait_s",
        "slot_gap_s", "slot_wait_s", "spare_s", "spread", "stall", "stall_twice", "stamp", "step_now_s", "token_s", "turnover_s",
        "waiting",
    )  # fmt: skip

    def __init__(self, tempo: Tempo, habits: Habits, learned: Learned, slots: int) -> None:
        self.stamp = habits.stamp
        self.reading, self.decoding = reads, slower = learned.reading, learned.decoding
        self._all_outputs = float(habits.output_tokens)
        self.kv_tokens = float(tempo.kv_tokens)
        self._slots = float(slots)
        self._step_tokens = float(tempo.step_tokens)
        self._empty_s = slower * tempo.step_s
        self._each_s = slower * tempo.step_request_s
        self.held_s = slower * tempo.step_held_s
        """Of a step, for each token that its requests hold."""
        self._experts_s = slower * tempo.step_experts_s
        self._experts_missed = tempo.experts_missed
        self._request_s = reads * tempo.request_s
        self._read_s = reads * tempo.prompt_token_s
        self.pair_s = reads * tempo.prompt_pair_s
        read = habits.read_tokens
        self._all_s = self._request_s + read * (self._read_s + read * self.pair_s)
        self.update(0, 0, 0.0, Reads())

    def is_old(self, habits: Habits, learned: Learned) -> bool:
        """Whether what was learned since asks for a new one."""
        return (
            self.stamp != habits.stamp
            or abs(learned.reading - self.reading) > _MOVED * self.reading
            or abs(learned.decoding - self.decoding) > _MOVED * self.decoding
        )

    def update(self, requests: int, prompt_tokens: int, output_tokens: float, reads: Reads) -> None:
        """So many are there now, with so many tokens of prompts and of answers together; `reads` is what prompts took here."""
        self.batch = batch = float(requests)
        self.output_tokens = output = (output_tokens + self._all_outputs) / (batch + 1.0)
        """Of an answer here, in the mean; all of the service's count as one more."""
        self.per_output = per_output = 1.0 / output
        mean_s, self._square = reads.among(self._all_s)
        self.turnover_s = mean_s * per_output
        """How much longer a token takes for each other request: one that ends is followed by one that is read."""
        self.limit_s = 0.0
        slots, half, turnover_s = self._slots, output * 0.5, self.turnover_s
        held = worked = prompt_tokens + batch * half
        working, after = batch, batch + 1.0
        self.is_full = batch >= slots
        """It would have to wait for a slot."""
        if batch >= slots:
            working = after = slots
            worked = held * slots / batch
        self.free_tokens = self.kv_tokens - held - output
        """Tokens that a prompt may have to be begun at once."""
        worked = min(worked, self.kv_tokens)
        self._working = working
        step_s = self._empty_s + worked * self.held_s
        now_s = step_s + working * self._each_s if batch else 0.0
        next_s = step_s + after * self._each_s + half * self.held_s
        if self._experts_s:
            now_s += self._experts_s * (1.0 - self._experts_missed**working)
            next_s += self._experts_s * (1.0 - self._experts_missed**after)
        self.step_now_s = now_s
        """A step without it."""
        room = self._step_tokens - working
        self.token_s = self._read_s + (now_s / room if room > 1.0 else now_s)
        """Each token that is read; others get theirs in the same steps."""
        self.first_s = self._request_s + 1.5 * now_s
        """Of a first token: half of the step under way, and others' part of the one that ends with it."""
        self.near_s = next_s + batch * turnover_s
        """A token after the first, but for `held_s` of each of its own prompt."""
        self.others_s = batch * half * (next_s - now_s)
        """What others lose by longer steps."""
        self.rest_held_s = batch * half * self.held_s
        """The same for each token of its prompt."""
        self.waiting = batch - slots + 1.0 if self.is_full else 0.0
        """Those who would wait for a slot, itself counted."""
        self.slot_gap_s = output * (now_s + working * turnover_s) / slots
        self.slot_wait_s = self.waiting * self.slot_gap_s
        """Until there is a slot."""
        self.room_wait_s = output * now_s / worked if worked else 0.0
        """Until there is room for one token more."""

    def weigh_limit(self, limit_s: float) -> None:
        """How many others would miss `limit_s` a token because of it: `risk`, and what its prompt adds to that.

        What it has to spare itself is `spare_s` a token; `spread` over the tokens of its answer is what `late_share` is to know.

        With b others, where prompts' seconds have the mean square S, and answers of m tokens, h^2 = s^2 + 2 b S / m^2
        (`late_share`; prompts come as answers end, by chance). A prompt of r seconds makes each of those who are there late
        with r b S / (m^3 h^3), the derivative for answers as they are met, the longer the likelier; and, where few others
        come, with (r / (m h))^2 / 2: that the answer is too short to make up for it.
        """
        others, per_output, turn_s = self._working, self.per_output, self.turnover_s
        fewer, each = max(0.0, others - 1.0), 2.0 * self._square * per_output
        spread = each * per_output
        before = late_share(limit_s - self.step_now_s - fewer * turn_s, fewer * spread)
        self.spare_s = spare_s = limit_s - self.near_s
        self.spread = others * each
        after = late_share(spare_s, others * spread)
        square = spare_s * spare_s + others * spread
        self.limit_s = limit_s
        self.risk = others * max(0.0, after - before)
        self.stall = self.stall_twice = 0.0
        if square:
            self.stall = others * others * spread * 0.5 * per_output / (square * sqrt(square))
            self.stall_twice = others * 0.5 * per_output * per_output / square

    def is_crowded(self, tokens: float) -> bool:
        """Whether a request with so long a prompt would have to wait for others to end."""
        return self.is_full or tokens > self.free_tokens
