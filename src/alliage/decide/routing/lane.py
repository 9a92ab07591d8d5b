"""The work of one gateway at one replica. No clock, no I/O.

A `Stay` is one request at one replica, from `begin` to whichever of `end` and `leave` comes first. What it counts for is
taken back, once, from the lane that it holds itself: so nothing is left over when a replica leaves the table or comes back.
"""

from sys import maxsize

from alliage.decide.routing.chance import Reads
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.learned import Learned
from alliage.decide.routing.looks import Looks
from alliage.decide.routing.prefixes import Prefixes
from alliage.decide.routing.reckoned import Reckoned
from alliage.fleet.routing import Tempo, Upstream


class Stay:
    """`read_s` is what its prompt was reckoned to take; with `streams` it will show when its first token comes."""

    __slots__ = (
        "_batch_s", "_begun_s", "_first_due_s", "_first_s", "_held_s", "_is_open", "_judged", "_lane", "_reading_s", "habits", "has_said", "is_awaited",
        "is_unread", "is_vague", "marked", "newer", "older", "output_tokens", "prompt_tokens", "read_s", "said", "streams",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - names cost time
        self,
        lane: "Lane",
        habits: Habits,
        prompt_tokens: int,
        read_s: float,
        first_s: float,
        now_s: float,
        streams: bool,  # noqa: FBT001 - see above
    ) -> None:
        """Its first token should come after `first_s`; 0 where that is not known."""
        self._lane = lane
        self.habits = habits
        self._begun_s = now_s
        self._first_due_s = first_s
        self._first_s = 0.0
        self.has_said = False
        """Its first token has come."""
        self._is_open = True
        self.prompt_tokens = prompt_tokens
        self.output_tokens = habits.expected(prompt_tokens)
        self.read_s = read_s
        self.streams = streams
        self.said = 0
        """Events of its stream until now, told by whoever passes them on."""
        self.marked = -1
        """How many there were when the present look began; -1 for a stream that says nothing in this one."""
        self.is_unread = False
        """Its client did not read: its pace is not the replica's."""
        self.is_vague = False
        """Nobody knows how long its prompt takes to be read."""
        self._judged = 0
        self.is_awaited = False
        """It is among those of the lane whose first token is awaited, between these two."""
        self.older: Stay | None = None
        self.newer: Stay | None = None

    def first_token(self, now_s: float) -> None:
        """Its answer begins; later calls change nothing."""
        if not self._is_open or self.has_said:
            return
        lane = self._lane
        self._first_s, self.has_said = now_s, True
        if self._first_due_s > 0:
            lane.learned.read(now_s - self._begun_s, self._first_due_s)
        lane.read(self, now_s)
        lane.saying[self] = None
        self._judged = lane.looks.judged
        self._batch_s, self._held_s, self._reading_s = lane.batch_s, lane.held_s, lane.reading_s

    def end(self, now_s: float, output_tokens: int = 0) -> None:
        """Answered to its end, with so many tokens; 0 where nobody told how many."""
        if not self._is_open:
            return
        self._is_open = False
        if output_tokens > 0:
            self.habits.answered(output_tokens, self.prompt_tokens)
            self.habits.streamed(output_tokens, self.said)
        lane = self._lane
        lane.read(self, now_s)
        if self.has_said and output_tokens > 1 and now_s > self._first_s:
            self._learn(now_s - self._first_s, output_tokens - 1)
        lane.close(self)

    def leave(self, now_s: float) -> None:
        """It failed, or its client went away: the replica has no more work with it."""
        if self._is_open:
            self._is_open = False
            self._lane.drop(self, now_s)
            self._lane.close(self)

    def _learn(self, seen_s: float, steps: int) -> None:
        lane, tempo = self._lane, self._lane.tempo
        if tempo is not None and self._judged == lane.looks.judged:
            lane.learned.decoded(
                tempo,
                steps,
                seen_s=seen_s,
                batch=(lane.batch_s - self._batch_s) / seen_s,
                held=(lane.held_s - self._held_s) / seen_s,
                reading_s=lane.reading_s - self._reading_s,
            )


class Lane:
    """`batch` requests are there, their prompts of `held_tokens` together; `reading` of them await their first token."""

    __slots__ = (
        "_kv_tokens", "_newest", "_oldest", "_seen_s", "_slots", "batch", "batch_s", "held_s", "held_tokens", "is_gone", "is_stale", "learned", "looks", "output_tokens", "prefixes",
        "read_due_s", "reading", "reading_s", "reads", "reckoned", "saying", "streams_awaited", "tempo", "turn", "unread_s", "upstream",
    )  # fmt: skip

    def __init__(self, upstream: Upstream, blocks_max: int) -> None:
        self.upstream = upstream
        self.learned = Learned()
        self.prefixes = Prefixes(blocks_max, upstream.tempo)
        self.batch = 0
        self.held_tokens = 0
        self.output_tokens = 0.0
        """What the answers of those who are there are expected to be, together."""
        self.reading = 0
        self._oldest: Stay | None = None
        self._newest: Stay | None = None
        self.streams_awaited = 0
        """How many of those that await their first token will show when it comes."""
        self.saying: dict[Stay, None] = {}
        """Those whose first token has come."""
        self.looks = Looks()
        self.unread_s = 0.0
        """What the prompts that are not read yet were reckoned to take."""
        self.read_due_s = 0.0
        """When the prompts that are there will have been read."""
        self.tempo = upstream.tempo
        """None where nothing is known of its speed, nor assumed."""
        self._slots = self._kv_tokens = 0
        self._size()
        self._seen_s = 0.0
        self.batch_s = self.held_s = self.reading_s = 0.0
        """Integrals over time of the requests and tokens worked on; what prompts took until now."""
        self.reads = Reads()
        self.turn = 0
        """When it was last chosen, counted in requests."""
        self.is_gone = False
        """It is in no table any more, and waits for its last request."""
        self.reckoned: Reckoned | None = None
        self.is_stale = True
        """What was reckoned was so before something changed here."""

    def replace(self, upstream: Upstream) -> None:
        """The same replica by a newer table. An engine that listens elsewhere or by another key is a new one."""
        old = self.upstream
        if (old.host, old.port, old.key) != (upstream.host, upstream.port, upstream.key):
            self.prefixes.forget()
            self.looks.restarted(self)
        self.upstream = upstream
        self.is_gone = False
        tempo = upstream.tempo or self.tempo
        if tempo != self.tempo:
            self.looks.retimed(self, self.tempo, tempo)
        self._keep_time(tempo)

    def assume(self, tempo: Tempo) -> None:
        """For want of its own, another's is taken; how it differs is learned."""
        self._keep_time(tempo)

    def _keep_time(self, tempo: Tempo | None) -> None:
        self.tempo = tempo
        self.prefixes.fit(tempo)
        self._size()
        self.reckoned = None

    def _size(self) -> None:
        self._slots = max(self.upstream.concurrency, 1)
        self._kv_tokens = maxsize if self.tempo is None else self.tempo.kv_tokens

    def reckon(self, habits: Habits) -> Reckoned | None:
        """What one more request would cost; None where the replica's speed is not known."""
        known = self.reckoned
        if known is None or known.is_old(habits, self.learned):
            if self.tempo is None:
                return None
            self.reckoned = known = Reckoned(self.tempo, habits, self.learned, self._slots)
        elif not self.is_stale:
            return known
        known.update(self.batch, self.held_tokens, self.output_tokens, self.reads)
        self.is_stale = False
        return known

    def begin(self, stay: Stay, now_s: float) -> None:
        """A request is sent there."""
        self.tick(now_s)
        self.batch += 1
        self.held_tokens += stay.prompt_tokens
        self.output_tokens += stay.output_tokens
        self._await(stay)
        self.streams_awaited += stay.streams
        self.unread_s += stay.read_s
        self.reads.add(stay.read_s)
        self.read_due_s = (now_s if now_s > self.read_due_s else self.read_due_s) + stay.read_s  # noqa: FURB136 - a call costs more
        self.is_stale = True

    def read(self, stay: Stay, now_s: float) -> None:
        """Its first token has come: prompts are read in turn, so those that were sent before it have been read too."""
        self.tick(now_s)
        self.is_stale = True
        if not stay.is_awaited:
            return
        while (oldest := self._oldest) is not stay and oldest is not None:
            self._was_read(oldest)
        self._was_read(stay)
        self.read_due_s = now_s + self.unread_s

    def drop(self, stay: Stay, now_s: float) -> None:
        """It will not be read, if it was not yet."""
        self.tick(now_s)
        if stay.is_awaited:
            self._forget(stay)
            self.read_due_s = max(now_s, self.read_due_s - stay.read_s)

    def close(self, stay: Stay) -> None:
        """Its request is over; called once, after `read` or `drop`."""
        self.batch -= 1
        if stay.has_said:
            self.saying.pop(stay, None)
        self.held_tokens -= stay.prompt_tokens
        self.output_tokens = self.output_tokens - stay.output_tokens if self.batch else 0.0  # no rounding is carried on
        self.is_stale = True

    def _was_read(self, stay: Stay) -> None:
        self.reading_s += stay.read_s
        self._forget(stay)

    def _await(self, stay: Stay) -> None:
        newest = self._newest
        if newest is None:
            self._oldest = stay
        else:
            newest.newer, stay.older = stay, newest
        self._newest, stay.is_awaited = stay, True
        self.reading += 1

    def _forget(self, stay: Stay) -> None:
        older, newer = stay.older, stay.newer
        if older is None:
            self._oldest = newer
        else:
            older.newer, stay.older = newer, None
        if newer is None:
            self._newest = older
        else:
            newer.older, stay.newer = older, None
        stay.is_awaited = False
        self.reading -= 1
        self.streams_awaited -= stay.streams
        self.unread_s = self.unread_s - stay.read_s if self.reading else 0.0  # no rounding is carried on

    @property
    def work(self) -> tuple[float, float]:
        """The integrals of the requests and of their prompts' tokens."""
        return self.batch_s, self.held_s

    @property
    def has_vague(self) -> bool:
        """Whether a prompt is being read of which nobody knows how long that takes."""
        stay = self._oldest
        while stay is not None and not stay.is_vague:
            stay = stay.newer
        return stay is not None

    def tick(self, now_s: float) -> None:
        """Time has passed with the present work."""
        passed_s = now_s - self._seen_s
        if passed_s > 0:
            if self.batch > self._slots or self.held_tokens > self._kv_tokens:
                passed_s *= self._share_worked_on()
            self.batch_s += self.batch * passed_s
            self.held_s += self.held_tokens * passed_s
            self._seen_s = now_s

    def _share_worked_on(self) -> float:
        """Of the requests that are there: the others wait for a slot, or for room."""
        return min(1.0, self._slots / self.batch, self._kv_tokens / max(1, self.held_tokens))
