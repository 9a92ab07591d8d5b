"""Continuous batching as a state machine: which requests an engine works on in each step, how long it takes, who gets a token.

The one model of it: the rehearsal engine drives it by the wall clock, replay by a virtual one. It knows no clock: what
comes in is told with its time, and `due_s` says when the step in progress ends. A step decodes a token for every request
whose prompt was read, and reads as much of the next prompts as `step_tokens` leaves (chunked prefill). The oldest
request is taken first. Prompts share blocks that begin alike; where the cache is full the request that was taken last
gives way and is read again later (as vLLM's scheduler does, docs.vllm.ai, "Preemption").
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from alliage.speed.pace import Pace

BLOCK_TOKENS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `blocks` names the prompt's full blocks from its beginning: equal names, equal text up to there."""

    id: str
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that ended: `decoded` requests got a token, of prompts `read` tokens were read."""

    began_s: float
    ended_s: float
    decoded: int
    read: int
    first: tuple[str, ...]
    """Those that got their first token."""
    done: tuple[str, ...]
    """Those that got their last one."""


@dataclass(slots=True, eq=False)
class _Sequence:
    """A request that is known. `told` tokens had been given before it was last read anew."""

    ask: Ask
    order: int
    told: int = 0
    filled: int = 0
    """Tokens of `prompt` that are read; of them `hit` were in the cache."""
    hit: int = 0
    is_read: bool = False
    since: int = 0
    """The number of the step that gave the first token since it was read."""
    grown: int = 0
    """How often those who decode had been given room for one token more when it began to."""
    shared: tuple[int, ...] = ()
    private: int = 0
    """Tokens that it alone held then."""

    @property
    def prompt(self) -> int:
        """What must be read: its prompt, and what it was given before it had to give way."""
        return self.ask.prompt_tokens + self.told


@dataclass(slots=True)
class _Cache:
    """Tokens held: by requests alone, in blocks that requests use, and in blocks that none uses any more."""

    tokens: int
    block_tokens: int
    private: int = 0
    users: dict[int, int] = field(default_factory=dict)
    idle: OrderedDict[int, None] = field(default_factory=OrderedDict)

    @property
    def used(self) -> int:
        return self.private + len(self.users) * self.block_tokens

    def hits(self, blocks: tuple[int, ...]) -> int:
        """How many of the first blocks are there."""
        return next(
            (n for n, block in enumerate(blocks) if block not in self.users and block not in self.idle), len(blocks)
        )

    def take(self, blocks: tuple[int, ...], private: int) -> bool:
        """Hold these; False, and nothing held, where they have no room."""
        new = sum(1 for block in blocks if block not in self.users)
        if self.used + new * self.block_tokens + private > self.tokens:
            return False
        for block in blocks:
            self.idle.pop(block, None)
            self.users[block] = self.users.get(block, 0) + 1
        self.private += private
        self.trim()
        return True

    def give(self, blocks: tuple[int, ...], private: int) -> None:
        """Let go of them; the blocks stay for whoever begins alike, until the room is needed."""
        self.private -= private
        for block in reversed(blocks):  # a beginning outlives what follows it
            self.users[block] -= 1
            if not self.users[block]:
                del self.users[block]
                self.idle[block] = None

    def trim(self) -> None:
        """Forget the blocks that nobody has used for longest, until the rest has room."""
        while self.idle and self.used + len(self.idle) * self.block_tokens > self.tokens:
            self.idle.popitem(last=False)


class Batching:
    """The state of one replica. Nothing is done before `ready_s`."""

    def __init__(self, pace: Pace, *, ready_s: float = 0.0, block_tokens: int = BLOCK_TOKENS) -> None:
        self.pace = pace
        self.slow = 1.0
        """Steps take so many times as long; for rehearsed faults."""
        self.steps = 0
        self.read_tokens = 0
        self.hit_tokens = 0
        """Prompt tokens that were read, and that were found in the cache instead."""
        self._ready_s = ready_s
        self._cache = _Cache(tokens=pace.kv_tokens, block_tokens=block_tokens)
        self._known: dict[str, _Sequence] = {}
        self._waiting: deque[_Sequence] = deque()
        self._reading: list[_Sequence] = []
        self._decoding: dict[str, _Sequence] = {}
        self._context = 0
        """Tokens that those who decode hold, together."""
        self._ends: list[tuple[int, int, _Sequence]] = []
        self._orders = 0
        self._grown = 0
        self._began_s = ready_s
        self._due_s: float | None = None
        self._chunks: list[tuple[_Sequence, int]] = []
        self._batch = 0
        self._decode_s = pace.decoder()
        self._is_settled = False
        """Nobody has come or gone since the step in progress was composed."""

    @property
    def due_s(self) -> float | None:
        """When the step in progress ends; None while there is nothing to do."""
        return self._due_s

    @property
    def running(self) -> int:
        """Requests that are worked on."""
        return len(self._reading) + len(self._decoding)

    @property
    def reading(self) -> int:
        """Those of them whose prompts are read."""
        return len(self._reading)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot or for room."""
        return len(self._waiting)

    @property
    def kv_share(self) -> float:
        """How much of the cache requests hold, from 0 to 1."""
        return self._cache.used / self._cache.tokens

    def fits(self, ask: Ask) -> bool:
        """Whether it could be answered at all: alone, it has room to its last token."""
        return ask.prompt_tokens + ask.output_tokens <= self._cache.tokens

    def submit(self, ask: Ask, at_s: float) -> None:
        """Take a request, at a time not before any that was told earlier; ValueError for one that never fits or is known."""
        if not self.fits(ask) or ask.id in self._known or ask.prompt_tokens < 1 or ask.output_tokens < 1:
            raise ValueError(f"request {ask.id}: {ask.prompt_tokens} + {ask.output_tokens} tokens cannot be taken")
        self._orders += 1
        sequence = _Sequence(ask=ask, order=self._orders)
        self._known[ask.id] = sequence
        self._waiting.append(sequence)
        self._is_settled = False
        if self._due_s is None:
            self._begin(max(at_s, self._ready_s))

    def abort(self, key: str) -> None:
        """Forget a request, wherever it is; the step in progress takes as long as it would have. Unknown ones are passed over."""
        sequence = self._known.pop(key, None)
        if sequence is not None:
            self._is_settled = False
            self._leave(sequence)

    def produced(self, key: str) -> int:
        """Tokens that a request was given until now; 0 for one that is not known (any more)."""
        sequence = self._known.get(key)
        return 0 if sequence is None else self._produced(sequence)

    def finish_step(self) -> Step:
        """End the step that is due and begin the next; ValueError where none is."""
        if self._due_s is None:
            raise ValueError("there is no step to end")
        began_s, ended_s = self._began_s, self._due_s
        self.steps += 1
        self._context += len(self._decoding)
        done = self._ended()
        first = []
        for sequence, tokens in self._chunks:
            if self._known.get(sequence.ask.id) is not sequence or sequence.is_read:
                continue  # it was aborted while it was read
            sequence.filled += tokens
            if sequence.filled == sequence.prompt:
                if not sequence.told:
                    first.append(sequence.ask.id)
                if self._start_decoding(sequence):
                    done.append(sequence)
        for sequence in done:
            del self._known[sequence.ask.id]
            self._leave(sequence)
        step = Step(
            began_s=began_s,
            ended_s=ended_s,
            decoded=self._batch,
            read=sum(tokens for _, tokens in self._chunks),
            first=tuple(first),
            done=tuple(each.ask.id for each in done),
        )
        self._begin(ended_s)
        return step

    def advance(self, now_s: float) -> Iterator[Step]:
        """All steps that have ended by `now_s`."""
        while self._due_s is not None and self._due_s <= now_s:
            yield self.finish_step()

    def hit(self, blocks: tuple[int, ...], prompt_tokens: int) -> int:
        """Tokens of such a prompt that are in the cache now; its last one would be read all the same."""
        full = blocks[: prompt_tokens // self._cache.block_tokens]
        return min(self._cache.hits(full) * self._cache.block_tokens, prompt_tokens - 1)

    def members(self) -> Iterator[tuple[str, int, int, int, int]]:
        """All that are known: id, tokens to read, of them read, of them in the step in progress, tokens still to give.

        Those who decode first (all of theirs is read), then those who are read and those who wait, in their order.
        """
        chunks = {id(sequence): tokens for sequence, tokens in self._chunks}
        for sequence in (*self._decoding.values(), *self._reading, *self._waiting):
            ask, left = sequence.ask, sequence.ask.output_tokens - self._produced(sequence)
            yield ask.id, sequence.prompt, sequence.filled, chunks.get(id(sequence), 0), left

    def glide(self, until_s: float) -> int:
        """End the steps that end by then, up to the first in which more happens than a token for each; how many.

        It is `finish_step` as often, without telling of each: where nobody came, none is read and none is at its end or
        without room, the next step has the members of this one.
        """
        due_s, batch, cache = self._due_s, self._batch, self._cache
        if due_s is None or due_s > until_s or self._chunks or not self._is_settled:
            return 0
        most = min(self._ends[0][0] - 1 - self.steps, (cache.tokens - cache.used) // batch)
        began_s, context, slow, decode_s, done = self._began_s, self._context, self.slow, self._decode_s, 0
        while done < most and due_s <= until_s:
            context += batch
            began_s, due_s = due_s, due_s + decode_s(batch, context / batch) * slow
            done += 1
        self._began_s, self._due_s, self._context = began_s, due_s, context
        self.steps += done
        self._grown += done
        cache.private += done * batch
        cache.trim()
        return done

    def _begin(self, at_s: float) -> None:
        """Compose the next step."""
        self._grow()
        self._batch = len(self._decoding)
        self._chunks = list(self._compose(self.pace.step_tokens - self._batch))
        if not self._batch and not self._chunks:
            self._due_s = None
            return
        mean = self._context / self._batch if self._batch else 0.0
        seconds = self._decode_s(self._batch, mean)
        for sequence, tokens in self._chunks:
            end, is_first = sequence.filled + tokens, sequence.filled == sequence.hit
            seconds += self.pace.prefill_s(sequence.filled, end, is_first=is_first)
            self.read_tokens += tokens
        self._began_s, self._due_s = at_s, at_s + seconds * self.slow
        self._is_settled = True

    def _compose(self, budget: int) -> Iterator[tuple[_Sequence, int]]:
        """Whose prompts are read in the next step, and how much of each."""
        for sequence in self._reading:
            if budget <= 0:
                return
            tokens = min(budget, sequence.prompt - sequence.filled)
            budget -= tokens
            yield sequence, tokens
        while budget > 0 and self._waiting and self.running < self.pace.slots and self._admit(self._waiting[0]):
            sequence = self._waiting.popleft()
            self._reading.append(sequence)
            tokens = min(budget, sequence.prompt - sequence.filled)
            budget -= tokens
            yield sequence, tokens

    def _admit(self, sequence: _Sequence) -> bool:
        """Give it room for its prompt and one token more; False where there is none."""
        blocks = sequence.ask.blocks[: sequence.ask.prompt_tokens // self._cache.block_tokens]
        private = sequence.prompt - len(blocks) * self._cache.block_tokens + 1
        hits = self._cache.hits(blocks)
        if not self._cache.take(blocks, private):
            return False
        sequence.shared, sequence.private = blocks, private
        sequence.hit = min(hits * self._cache.block_tokens, sequence.prompt - 1)  # the last token is always read
        sequence.filled = sequence.hit
        self.hit_tokens += sequence.hit
        return True

    def _start_decoding(self, sequence: _Sequence) -> bool:
        """Its prompt is read, so it has its next token; True where that was its last one."""
        self._reading.remove(sequence)
        sequence.is_read, sequence.since, sequence.grown = True, self.steps, self._grown
        self._decoding[sequence.ask.id] = sequence
        self._context += sequence.prompt + 1
        left = sequence.ask.output_tokens - sequence.told - 1
        if left:
            heappush(self._ends, (self.steps + left, sequence.order, sequence))
        return not left

    def _ended(self) -> list[_Sequence]:
        """Those whose last token came with this step."""
        done = []
        while self._ends and self._ends[0][0] <= self.steps:
            end, _, sequence = heappop(self._ends)
            if sequence.is_read and self._end_of(sequence) == end and self._known.get(sequence.ask.id) is sequence:
                done.append(sequence)
        return done

    def _grow(self) -> None:
        """Room for the token that each one who decodes will get; the last taken give way where there is none."""
        self._grown += 1
        self._cache.private += len(self._decoding)
        while self._cache.used > self._cache.tokens:
            last = max((*self._reading, *self._decoding.values()), key=lambda each: each.order)
            self._give_way(last)
        self._cache.trim()

    def _give_way(self, sequence: _Sequence) -> None:
        """Back to the head of those who wait, to be read again with what it was given."""
        told = self._produced(sequence)
        self._leave(sequence)
        sequence.told, sequence.is_read = told, False
        self._waiting.appendleft(sequence)

    def _leave(self, sequence: _Sequence) -> None:
        """Give back what it holds."""
        if sequence.is_read:
            del self._decoding[sequence.ask.id]
            self._context -= sequence.prompt + 1 + self.steps - sequence.since
            self._cache.give(sequence.shared, sequence.private + self._grown - sequence.grown)
        elif sequence in self._reading:
            self._reading.remove(sequence)
            self._cache.give(sequence.shared, sequence.private)
        elif sequence in self._waiting:
            self._waiting.remove(sequence)

    def _produced(self, sequence: _Sequence) -> int:
        return sequence.told + (self.steps - sequence.since + 1 if sequence.is_read else 0)

    def _end_of(self, sequence: _Sequence) -> int:
        """The number of the step that gives its last token."""
        return sequence.since + sequence.ask.output_tokens - sequence.told - 1
