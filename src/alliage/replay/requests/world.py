"""The world of a replay: replicas on a virtual clock. Requests arrive, a router chooses, steps end, times are noted.

Steps that end by the time of an arrival end before it, in order of time and then of replica. An idle replica costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import nan
from operator import itemgetter
from typing import Final, TypeAlias

from alliage.replay.requests.making import Playable
from alliage.replay.requests.trace import Request, Trace
from alliage.replay.router import Router, Seen
from alliage.speed.batching import Ask, Batching, Step

_TOLD: Final = 20
"""How often a run tells how far it is, about."""
Progress: TypeAlias = Callable[[int, int], None]
Build: TypeAlias = Callable[["World"], Router]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What became of one request. `replica` is None where it was refused; then the times are NaN."""

    arrived_s: float
    replica: int | None
    first_s: float
    ended_s: float

    @property
    def ttft_s(self) -> float:
        """Seconds from its arrival to its first token."""
        return self.first_s - self.arrived_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All requests of a trace, in its order, and what the replicas did."""

    lives: tuple[Life, ...]
    steps: int
    read_tokens: int
    hit_tokens: int
    """Prompt tokens that were read, and that were found in a cache."""


class World:
    """Replicas and the requests that come. Only `requests` and `machines` know the future; routers that look are told so."""

    def __init__(self, replicas: Sequence[Playable], trace: Trace) -> None:
        self.replicas = tuple(replicas)
        self.requests: tuple[Request, ...] = trace.requests
        self.block_tokens = trace.block_tokens
        self.machines = tuple(Batching(each.pace, block_tokens=trace.block_tokens) for each in replicas)
        for machine, each in zip(self.machines, self.replicas, strict=True):
            machine.slow = 1.0 / each.speed
        self._due: list[tuple[float, int]] = []
        count = len(self.requests)
        self._chosen: list[int | None] = [None] * count
        self._first_s = [nan] * count
        self._ended_s = [nan] * count

    def run(self, build: Build, progress: Progress = lambda _done, _of: None) -> Run:
        """Replay the trace, once, to the end of the last answer."""
        router, count = build(self), len(self.requests)
        often = max(1, count // _TOLD)
        for key, request in enumerate(self.requests):
            self._advance(request.at_s, router)
            self._arrive(key, request, router)
            if not key % often:
                progress(key, count)
        self._advance(float("inf"), router)
        progress(count, count)
        return self._told()

    def _arrive(self, key: int, request: Request, router: Router) -> None:
        full = request.blocks[: request.prompt_tokens // self.block_tokens]
        seen = Seen(key=key, prompt_tokens=request.prompt_tokens, blocks=full)
        chosen = router.choose(seen, request.at_s)
        if chosen is None:
            return
        machine = self.machines[chosen]
        ask = Ask(
            id=str(key), prompt_tokens=request.prompt_tokens, output_tokens=request.output_tokens, blocks=request.blocks
        )
        was_idle = machine.due_s is None
        machine.submit(ask, request.at_s)
        self._chosen[key] = chosen
        if was_idle and machine.due_s is not None:
            heappush(self._due, (machine.due_s, chosen))

    def _advance(self, until_s: float, router: Router) -> None:
        """End all steps that are due by then, replica by replica; the router hears of it in order of time."""
        due, events = self._due, []
        while due and due[0][0] <= until_s:
            at = heappop(due)[1]
            machine = self.machines[at]
            while (due_s := machine.due_s) is not None and due_s <= until_s:
                if not machine.glide(until_s):
                    step = machine.finish_step()
                    if step.first or step.done:
                        events.append((due_s, at, step))
            if due_s is not None:
                heappush(due, (due_s, at))
        events.sort(key=itemgetter(0, 1))
        for now_s, at, step in events:
            self._tell(step, at, now_s, router)

    def _tell(self, step: Step, at: int, now_s: float, router: Router) -> None:
        for key in map(int, step.first):
            self._first_s[key] = now_s
            router.began(key, at, now_s)
        for key in map(int, step.done):
            self._ended_s[key] = now_s
            router.ended(key, at, now_s, self.requests[key].output_tokens)

    def _told(self) -> Run:
        lives = tuple(
            Life(arrived_s=request.at_s, replica=replica, first_s=first_s, ended_s=ended_s)
            for request, replica, first_s, ended_s in zip(
                self.requests, self._chosen, self._first_s, self._ended_s, strict=True
            )
        )
        return Run(
            lives=lives,
            steps=sum(machine.steps for machine in self.machines),
            read_tokens=sum(machine.read_tokens for machine in self.machines),
            hit_tokens=sum(machine.hit_tokens for machine in self.machines),
        )
