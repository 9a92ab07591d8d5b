"""The study's protocol: pods arrive one at a time and never leave; one that fits nowhere is dropped, with no retry."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alliage.decide.packing.shapes import Placed
from alliage.replay.ledger import Ledger
from alliage.replay.openb.trace import Order, Trace, capacity_milli, device_milli
from alliage.replay.packer import Packer


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One order replayed: the allocated percent by arrived percent, and how fast `place` was (no part of equality)."""

    seed: int
    curve: tuple[float | None, ...]
    """At index p: the mean allocated percent of capacity while the arrived demand was p % of it, rounded."""
    refused: int
    decisions: int
    loop_s: float = field(compare=False)

    @property
    def decisions_per_s(self) -> float:
        """Calls of `place` a second, of the loop alone."""
        return self.decisions / self.loop_s if self.loop_s > 0 else 0.0


def replay(trace: Trace, order: Order, packer: Packer) -> Run:
    """Replay one order on an empty packer. Raises ValueError where it gave room that is not there: a bug of its own."""
    arrivals = trace.arrivals(order)
    started = time.perf_counter()
    placements = [packer.place(shape) for shape in arrivals]
    loop_s = time.perf_counter() - started
    curve = draw_curve(trace, arrivals, placements)
    refused = sum(placed is None for placed in placements)
    return Run(seed=order.seed, curve=curve, refused=refused, decisions=len(arrivals), loop_s=loop_s)


def draw_curve(trace: Trace, arrivals: Sequence[int], placements: Sequence[Placed | None]) -> tuple[float | None, ...]:
    """Allocated percent by arrived percent; each placement is first checked against a ledger of its own."""
    capacity = capacity_milli(trace.hosts)
    sums: dict[int, tuple[float, int]] = {}
    for arrived, allocated in _totals(trace, arrivals, placements):
        at = (200 * arrived + capacity) // (2 * capacity) if capacity else 0
        total, count = sums.get(at, (0.0, 0))
        sums[at] = (total + 100 * allocated / capacity if capacity else 0.0, count + 1)
    return _fill([sums[at][0] / sums[at][1] if at in sums else None for at in range(max(sums, default=-1) + 1)])


def _totals(trace: Trace, arrivals: Sequence[int], placements: Sequence[Placed | None]) -> Iterator[tuple[int, int]]:
    ledger, arrived, allocated = Ledger(trace.hosts, trace.shapes), 0, 0
    for shape, placed in zip(arrivals, placements, strict=True):
        demand = device_milli(trace.shapes[shape])
        arrived += demand
        if placed is not None:
            ledger.take(placed)
            allocated += demand
        yield arrived, allocated


def _fill(means: Sequence[float | None]) -> tuple[float | None, ...]:
    """A percent at which no pod arrived has what the one before had: large pods jump over some."""
    filled: list[float | None] = []
    for mean in means:
        filled.append(mean if mean is not None or not filled else filled[-1])
    return tuple(filled)


def mean_curve(runs: Sequence[Run]) -> tuple[float | None, ...]:
    """The mean of the runs' curves, as far as each of them reaches."""
    return tuple(
        sum(values) / len(values) if (values := [each for each in column if each is not None]) else None
        for column in zip(*(run.curve for run in runs), strict=False)
    )
