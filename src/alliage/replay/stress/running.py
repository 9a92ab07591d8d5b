"""Runs any packer over a stress workload and says how much it hosted. What it places is checked by a ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from alliage.decide.packing.shapes import Placed
from alliage.replay.ledger import Ledger
from alliage.replay.openb.trace import capacity_milli, device_milli
from alliage.replay.packer import Packer
from alliage.replay.stress.workload import Workload

SETTLED_AT: Final = 3.0
"""From when on a time-mean counts, where requests leave: after three mean lifetimes, when 95 % of the demand is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRun:
    """Percent of the devices' capacity. `allocated`: at the end where requests stay, the mean over time where they leave.

    `allocated_at_full` is what was allocated when as much had arrived as there is (None where requests leave,
    or less than that arrives);
    `refused` the percent of the demand that found no room.
    """

    kind: str
    seed: int
    allocated: float
    allocated_at_full: float | None
    refused: float
    requests: int


def run(workload: Workload, packer: Packer) -> StressRun:
    """Run one workload on an empty packer. Raises ValueError where it gave room that is not there: a bug of its own."""
    capacity = capacity_milli(workload.hosts)
    steps = list(_replay(workload, packer))
    arrived, refused = steps[-1].arrived, steps[-1].refused
    leaves = workload.has_departures
    full = next((step.allocated for step in steps if step.arrived >= capacity), None)
    return StressRun(
        kind=workload.kind,
        seed=workload.seed,
        allocated=100 * (_time_mean(steps) if leaves else steps[-1].allocated) / capacity,
        allocated_at_full=None if leaves or full is None else 100 * full / capacity,
        refused=100 * refused / arrived if arrived else 0.0,
        requests=len(workload.requests),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """Thousandths of devices after an event."""

    at: float
    allocated: int
    arrived: int
    refused: int


def _replay(workload: Workload, packer: Packer) -> Iterator[_Step]:
    ledger, held = Ledger(workload.hosts, workload.shapes), dict[int, Placed]()
    allocated = arrived = refused = 0
    for event in workload.events:
        shape = workload.requests[event.request]
        demand = device_milli(workload.shapes[shape])
        if event.leaves:
            if (placed := held.pop(event.request, None)) is not None:
                packer.remove(placed)
                ledger.give_back(placed)
                allocated -= demand
        else:
            arrived += demand
            if (placed := packer.place(shape)) is None:
                refused += demand
            else:
                ledger.take(placed)
                held[event.request] = placed
                allocated += demand
        yield _Step(event.at, allocated, arrived, refused)


def _time_mean(steps: list[_Step]) -> float:
    pairs = [(a, b) for a, b in pairwise(steps) if a.at >= SETTLED_AT]
    span = sum(after.at - before.at for before, after in pairs)
    return sum(before.allocated * (after.at - before.at) for before, after in pairs) / span if span else 0.0
