"""Engines of a replayed cloud: the batching of each at its own pace, all on one clock. Idle ones cost nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from operator import itemgetter

from alliage.fleet.ids import ReplicaId
from alliage.speed.batching import Ask, Batching, Step
from alliage.speed.pace import Pace


@dataclass(slots=True, eq=False)
class _Engine:
    """`number` tells a replica's engines apart: each start is a new one."""

    number: int
    machine: Batching
    speed: float
    halted_s: float | None = None
    """Since when nothing of it comes any more, though nobody closed a connection."""


class Engines:
    """Those that were started and not stopped, by replica."""

    def __init__(self) -> None:
        self._running: dict[ReplicaId, _Engine] = {}
        self._by_number: dict[int, _Engine] = {}
        self._due: list[tuple[float, int]] = []
        self._numbers = 0

    def start(self, replica: ReplicaId, pace: Pace, *, ready_s: float, speed: float) -> None:
        """It works from `ready_s` on, `speed` times as fast as its pace."""
        self._numbers += 1
        machine = Batching(pace, ready_s=ready_s)
        machine.slow = 1.0 / speed
        engine = _Engine(self._numbers, machine, speed)
        self._running[replica] = self._by_number[self._numbers] = engine

    def stop(self, replica: ReplicaId) -> None:
        """It is gone with all it was asked; one that does not run is passed over."""
        engine = self._running.pop(replica, None)
        if engine is not None:
            del self._by_number[engine.number]

    def halt(self, replica: ReplicaId, now_s: float) -> None:
        """It says nothing from now on, and nobody who waits for it is told: it hangs, or its machine is out of reach."""
        engine = self._running.get(replica)
        if engine is not None and engine.halted_s is None:
            engine.halted_s = now_s

    def halted_s(self, replica: ReplicaId) -> float | None:
        """Since when nothing comes of it; None where it works, or is gone for all to see."""
        engine = self._running.get(replica)
        return None if engine is None else engine.halted_s

    def renew(self, replica: ReplicaId, now_s: float) -> None:
        """One that was out of reach is there again; what it was asked before was cancelled meanwhile."""
        engine = self._running.get(replica)
        if engine is not None:
            pace, speed = engine.machine.pace, engine.speed
            self.stop(replica)
            self.start(replica, pace, ready_s=now_s, speed=speed)

    def slow(self, replica: ReplicaId, times: float) -> None:
        """Its steps take so many times as long as they should, from the next one on."""
        engine = self._running.get(replica)
        if engine is not None:
            engine.machine.slow = times / engine.speed

    def cancel(self, replica: ReplicaId, key: str) -> None:
        """Whoever asked is gone."""
        engine = self._running.get(replica)
        if engine is not None:
            engine.machine.abort(key)

    def asked(self, replica: ReplicaId) -> frozenset[str]:
        """The requests that it knows."""
        engine = self._running.get(replica)
        return frozenset() if engine is None else frozenset(member[0] for member in engine.machine.members())

    def is_running(self, replica: ReplicaId) -> bool:
        """Whether there is an engine of it."""
        return replica in self._running

    def takes(self, replica: ReplicaId, ask: Ask) -> bool:
        """Whether it runs and could ever answer that."""
        engine = self._running.get(replica)
        return engine is not None and engine.machine.fits(ask)

    def submit(self, replica: ReplicaId, ask: Ask, now_s: float) -> None:
        """Ask one that takes it."""
        engine = self._running[replica]
        was_idle = engine.machine.due_s is None
        engine.machine.submit(ask, now_s)
        if was_idle and engine.machine.due_s is not None:
            heappush(self._due, (engine.machine.due_s, engine.number))

    def produced(self, replica: ReplicaId, key: str) -> int:
        """Tokens that a request was given until now."""
        engine = self._running.get(replica)
        return 0 if engine is None else engine.machine.produced(key)

    def advance(self, until_s: float) -> list[tuple[float, Step]]:
        """End all steps that are due by then; those that gave somebody the first token or the last, in order of time."""
        events: list[tuple[float, int, Step]] = []
        due = self._due
        while due and due[0][0] <= until_s:
            engine = self._by_number.get(heappop(due)[1])
            if engine is None or engine.halted_s is not None:
                continue
            events.extend((at_s, engine.number, step) for at_s, step in _steps(engine.machine, until_s))
            if engine.machine.due_s is not None:
                heappush(due, (engine.machine.due_s, engine.number))
        events.sort(key=itemgetter(0, 1))
        return [(at_s, step) for at_s, _, step in events]


def _steps(machine: Batching, until_s: float) -> Iterator[tuple[float, Step]]:
    while (due_s := machine.due_s) is not None and due_s <= until_s:
        if not machine.glide(until_s):
            step = machine.finish_step()
            if step.first or step.done:
                yield due_s, step
