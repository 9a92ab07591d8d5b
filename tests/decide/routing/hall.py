"""Replicas for the tests of routing: engines that keep the real batching's time, on a clock that events move."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import islice

from alliage.decide.route import choose
from alliage.decide.routing.board import Board
from alliage.decide.routing.lane import Stay
from alliage.decide.routing.prompt import Prompt
from alliage.decide.tempo import tempo_of
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Tempo, Upstream
from alliage.fleet.services import UNASKED, Objective
from alliage.speed.batching import BLOCK_TOKENS, Ask, Batching
from alliage.speed.pace import Pace, pace_of
from tests.speed.running import running

SERVICE = "m"
Load = tuple[int, int]
"""Tokens of a prompt and of its answer."""


def a_tempo(**more: float) -> Tempo:
    """Ten thousand prompt tokens a second, a step of 10 ms and 0.2 ms a request."""
    figures: dict[str, float] = {
        "request_s": 0.002, "prompt_token_s": 1e-4, "prompt_pair_s": 0.0, "step_s": 0.01, "step_request_s": 2e-4, "step_held_s": 1e-8,
        "step_tokens": 2048, "kv_tokens": 400_000, **more,
    }  # fmt: skip
    whole = {name: int(value) if name.endswith("_tokens") else value for name, value in figures.items()}
    return Tempo(**whole)  # type: ignore[arg-type]


def an_upstream(name: str, tempo: Tempo | None = None, *, slots: int = 64, port: int = 1) -> Upstream:
    """A replica."""
    return Upstream(replica=ReplicaId(name), host="h", port=port, key="k", concurrency=slots, tempo=tempo)


def a_prompt(tokens: int, *blocks: int, block_tokens: int = BLOCK_TOKENS) -> Prompt:
    """A prompt that begins with these blocks."""
    return Prompt(tokens, blocks, range(block_tokens, block_tokens * len(blocks) + 1, block_tokens))


def a_pace() -> Pace:
    """Llama 3.1 70B in FP8 on four H100, 64 requests at once."""
    pace = pace_of(replace(running(), slots=64))
    assert isinstance(pace, Pace)
    return pace


@dataclass(slots=True, kw_only=True)
class _Open:
    """A request in flight."""

    stay: Stay
    replica: int
    begun_s: float
    output_tokens: int
    first_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How one request went."""

    replica: int
    ttft_s: float
    tpot_s: float


class Hall:
    """Engines of one pace, each `slow[i]` times slower; the board is told that they are `told[i]` times slower."""

    def __init__(
        self, slow: Sequence[float], told: Sequence[float] | None = None, objective: Objective = UNASKED
    ) -> None:
        pace = a_pace()
        tempo = tempo_of(pace, context_tokens=1280)
        self.engines = [Batching(pace) for _ in slow]
        for engine, times in zip(self.engines, slow, strict=True):
            engine.slow = times
        self.upstreams = tuple(
            an_upstream(f"r{index}", slower(tempo, times), slots=pace.slots)
            for index, times in enumerate(slow if told is None else told)
        )
        self.objective = objective
        self.board = Board()
        self.served: list[Served] = []
        self.now_s = 0.0
        self._steps: list[tuple[float, int]] = []
        self._open: dict[int, _Open] = {}

    def run(self, arrivals: Iterable[tuple[float, Load]]) -> None:
        """Requests at their times; ends when all are answered."""
        for at_s, load in arrivals:
            while self._steps and self._steps[0][0] < at_s:
                self._step()
            self.now_s = at_s
            self._send(load)
        while self._steps:
            self._step()

    def run_closed(self, loads: Iterable[Load], clients: int) -> None:
        """So many requests always in flight, until there are no more."""
        waiting = iter(loads)
        for load in islice(waiting, clients):
            self._send(load)
        while self._steps:
            for load in islice(waiting, self._step()):
                self._send(load)

    def counts(self) -> list[int]:
        """How many requests each replica answered."""
        found = [0] * len(self.engines)
        for each in self.served:
            found[each.replica] += 1
        return found

    def kept(self, ttft_s: float, tpot_s: float) -> float:
        """The share of requests that kept this objective."""
        return sum(each.ttft_s <= ttft_s and each.tpot_s <= tpot_s for each in self.served) / len(self.served)

    def _send(self, load: Load) -> None:
        prompt, now_s, key = Prompt(load[0]), self.now_s, len(self.served) + len(self._open)
        upstream = choose(self.upstreams, prompt, self.board, service=SERVICE, now_s=now_s, objective=self.objective)
        assert upstream is not None
        replica = self.upstreams.index(upstream)
        stay = self.board.begin(upstream, prompt, service=SERVICE, now_s=now_s)
        self._open[key] = _Open(stay=stay, replica=replica, begun_s=now_s, output_tokens=load[1])
        engine = self.engines[replica]
        was_idle = engine.due_s is None
        engine.submit(Ask(id=str(key), prompt_tokens=load[0], output_tokens=load[1]), now_s)
        if was_idle:
            self._wait_for(replica)

    def _step(self) -> int:
        """The next step of any engine ends; how many requests did with it."""
        _, replica = heappop(self._steps)
        step = self.engines[replica].finish_step()
        self._wait_for(replica)
        self.now_s = now_s = step.ended_s
        for name in step.first:
            request = self._open[int(name)]
            request.first_s = now_s
            request.stay.first_token(now_s)
        for name in step.done:
            request = self._open.pop(int(name))
            request.stay.end(now_s, request.output_tokens)
            tpot_s = (now_s - request.first_s) / max(1, request.output_tokens - 1)
            ttft_s = request.first_s - request.begun_s
            self.served.append(Served(replica=replica, ttft_s=ttft_s, tpot_s=tpot_s))
        return len(step.done)

    def _wait_for(self, replica: int) -> None:
        due_s = self.engines[replica].due_s
        if due_s is not None:
            heappush(self._steps, (due_s, replica))


def slower(tempo: Tempo, times: float) -> Tempo:
    """The same, so many times slower."""
    return replace(
        tempo, **{name: getattr(tempo, name) * times for name in Tempo.__dataclass_fields__ if name.endswith("_s")}
    )
