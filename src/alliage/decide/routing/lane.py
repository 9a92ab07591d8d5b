"""What one gateway knows of one replica: who is at it, and how fast it turned out to be. No clock, no I/O.

A `Stay` is one request at one replica, from `begin` to whichever of `end` and `leave` comes first. What it counts for is
taken back, once, from the lane that it holds itself: so nothing is left over when a replica leaves the table or comes back.
"""

from math import exp, log
from typing import Final

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prefixes import Prefixes
from alliage.decide.routing.prompt import Prompt
from alliage.decide.routing.reckoned import Reckoned
from alliage.fleet.routing import Tempo, Upstream

SLOWER_MAX: Final = 16.0
"""A replica is believed to be at most so many times slower than its tempo says."""
FASTER_MAX: Final = 4.0
_BELIEF: Final = 0.15
"""How far one observation moves what is believed, in logarithms."""
_SURPRISE_MAX: Final = log(4.0)
"""One observation counts as no farther from what was expected than this."""
_NOISE_S: Final = 0.005
"""What connections and the gateway add to a time: no sign of a slow engine."""


class Stay:
    """One request at one replica. `read_s` is what its prompt was reckoned to take of the engine."""

    __slots__ = (
        "_batch_s", "_begun_s", "_expected_first_s", "_first_s", "_habits", "_held_s", "_is_open", "_lane", "_read_total_s", "prompt_tokens",
        "read_s", "streams",
    )  # fmt: skip

    def __init__(
        self,
        lane: "Lane",
        habits: Habits,
        *,
        prompt_tokens: int,
        read_s: float,
        first_s: float,
        now_s: float,
        streams: bool,
    ) -> None:
        self._lane = lane
        self._habits = habits
        self._begun_s = now_s
        self._expected_first_s = first_s
        self._first_s: float | None = None
        self._is_open = True
        self._batch_s = self._held_s = self._read_total_s = 0.0
        self.prompt_tokens = prompt_tokens
        self.read_s = read_s
        self.streams = streams

    @property
    def is_unread(self) -> bool:
        """Whether its first token is still awaited."""
        return self._is_open and self._first_s is None

    def first_token(self, now_s: float) -> None:
        """Its answer begins; later calls change nothing."""
        if not self.is_unread:
            return
        lane = self._lane
        self._first_s = now_s
        if lane.tempo is not None and self._expected_first_s > 0:
            lane.learn_reading(now_s - self._begun_s, self._expected_first_s)
        lane.was_read(self, now_s)
        self._batch_s, self._held_s, self._read_total_s = lane.batch_s, lane.held_s, lane.read_total_s

    def end(self, now_s: float, output_tokens: int = 0) -> None:
        """Answered to its end, with so many tokens; 0 where nobody told how many."""
        if not self._is_open:
            return
        lane = self._lane
        if output_tokens > 0:
            self._habits.answered(output_tokens)
        if self._first_s is not None and output_tokens > 1 and now_s > self._first_s:
            lane.tick(now_s)
            lane.learn_decoding(
                now_s - self._first_s,
                steps=output_tokens - 1,
                batch_s=lane.batch_s - self._batch_s,
                held_s=lane.held_s - self._held_s,
                reading_s=lane.read_total_s - self._read_total_s,
            )
        self._close(now_s, was_read=True)

    def leave(self, now_s: float) -> None:
        """It failed, or its client went away: the replica has no more work with it."""
        if self._is_open:
            self._close(now_s, was_read=False)

    def _close(self, now_s: float, *, was_read: bool) -> None:
        self._is_open = False
        self._lane.close(self, now_s, was_read=was_read)


class Lane:
    """Work at one replica, as one gateway gave it."""

    __slots__ = (
        "_seen_s",
        "_unread_s",
        "batch",
        "batch_s",
        "decode_factor",
        "held_s",
        "held_tokens",
        "is_gone",
        "prefixes",
        "read_due_s",
        "read_factor",
        "read_total_s",
        "reading",
        "reckoned",
        "streams_awaited",
        "turn",
        "upstream",
    )  # fmt: skip

    def __init__(self, upstream: Upstream, blocks_max: int) -> None:
        self.upstream = upstream
        self.prefixes = Prefixes(blocks_max)
        self.batch = 0
        """Requests that are there."""
        self.held_tokens = 0
        """Of their prompts, together."""
        self.reading: dict[Stay, None] = {}
        """Those whose first token is awaited, the oldest first."""
        self.streams_awaited = 0
        """How many of them will show when it comes."""
        self._unread_s = 0.0
        self.read_due_s = 0.0
        """When the prompts that are there will have been read."""
        self.read_factor = 1.0
        """How many times slower prompts are read than the tempo says."""
        self.decode_factor = 1.0
        """The same of the steps that give tokens."""
        self._seen_s = 0.0
        self.batch_s = self.held_s = self.read_total_s = 0.0
        """Integrals over time of `batch` and `held_tokens`, and the seconds that prompts took until now."""
        self.turn = 0
        """When it was last chosen, counted in requests."""
        self.is_gone = False
        """It is in no table any more, and waits for its last request."""
        self.reckoned: Reckoned | None = None
        """Kept until something changes: most replicas stay as they are between two requests."""

    @property
    def tempo(self) -> Tempo | None:
        """What the speed model says."""
        return self.upstream.tempo

    def replace(self, upstream: Upstream) -> None:
        """The same replica by a newer table. An engine that listens elsewhere or by another key is a new one."""
        old = self.upstream
        if (old.host, old.port, old.key) != (upstream.host, upstream.port, upstream.key):
            self.prefixes.forget()
        self.upstream = upstream
        self.is_gone = False
        self.reckoned = None

    def reckon(self, habits: Habits) -> Reckoned | None:
        """What one more request would cost; None where the replica's speed is not known."""
        known, tempo = self.reckoned, self.upstream.tempo
        if tempo is None or (known is not None and known.stamp == habits.stamp):
            return known
        self.reckoned = known = Reckoned(
            tempo,
            habits,
            slots=max(self.upstream.concurrency, 1),
            batch=self.batch,
            prompt_tokens=self.held_tokens,
            reads=self.read_factor,
            slower=self.decode_factor,
        )
        return known

    def begin(
        self, habits: Habits, prompt: Prompt, now_s: float, *, read_s: float, first_s: float, streams: bool
    ) -> Stay:
        """A request is sent there; its prompt should take `read_s`, its first token come after `first_s`."""
        self.tick(now_s)
        stay = Stay(
            self, habits, prompt_tokens=prompt.tokens, read_s=read_s, first_s=first_s, now_s=now_s, streams=streams
        )
        self.prefixes.remember(prompt)
        self.batch += 1
        self.held_tokens += prompt.tokens
        self.reading[stay] = None
        self.streams_awaited += streams
        self._unread_s += read_s
        self.read_due_s = max(self.read_due_s, now_s) + read_s
        self.reckoned = None
        return stay

    def was_read(self, stay: Stay, now_s: float) -> None:
        """Its first token came: those that were sent before it have been read too."""
        self.tick(now_s)
        if stay in self.reading:
            while (first := next(iter(self.reading))) is not stay:
                self._drop(first, was_read=True)
            self._drop(stay, was_read=True)
            self.read_due_s = now_s + self._unread_s
            self.reckoned = None

    def close(self, stay: Stay, now_s: float, *, was_read: bool) -> None:
        """Its request is over."""
        if was_read:
            self.was_read(stay, now_s)
        else:
            self.tick(now_s)
            if stay in self.reading:
                self._drop(stay, was_read=False)
                self.read_due_s = max(now_s, self.read_due_s - stay.read_s)
        self.batch -= 1
        self.held_tokens -= stay.prompt_tokens
        self.reckoned = None

    def tick(self, now_s: float) -> None:
        """Time has passed with the present work."""
        passed_s = now_s - self._seen_s
        if passed_s > 0:
            self.batch_s += self.batch * passed_s
            self.held_s += self.held_tokens * passed_s
            self._seen_s = now_s

    def learn_reading(self, seen_s: float, expected_s: float) -> None:
        """A first token came after `seen_s`."""
        self.read_factor = _believed(self.read_factor, (seen_s + _NOISE_S) / (expected_s + _NOISE_S))

    def learn_decoding(self, seen_s: float, *, steps: int, batch_s: float, held_s: float, reading_s: float) -> None:
        """So many tokens came within `seen_s`, beside others: their integrals over that time, and what reading took of it."""
        tempo = self.upstream.tempo
        if tempo is None:
            return
        step_s = tempo.step_s + (batch_s * tempo.step_request_s + held_s * tempo.step_held_s) / seen_s
        expected_s = self.decode_factor * steps * step_s + reading_s
        self.decode_factor = _believed(self.decode_factor, (seen_s + _NOISE_S) / (expected_s + _NOISE_S))

    def _drop(self, stay: Stay, *, was_read: bool) -> None:
        del self.reading[stay]
        self.streams_awaited -= stay.streams
        if was_read:
            self.read_total_s += stay.read_s
        self._unread_s = self._unread_s - stay.read_s if self.reading else 0.0  # no rounding is carried on


def _believed(factor: float, ratio: float) -> float:
    surprise = min(_SURPRISE_MAX, max(-_SURPRISE_MAX, log(ratio)))
    return min(SLOWER_MAX, max(1 / FASTER_MAX, factor * exp(_BELIEF * surprise)))
