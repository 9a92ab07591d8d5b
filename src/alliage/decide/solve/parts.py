"""What a work asks for, taken apart into what can be served by degrees, each part with its worth in money.

A service asks for its demand to be carried and for its least number of replicas to stand; a job shape for all its jobs
to run at full speed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alliage.decide.solve.options import full_rate, step_of
from alliage.decide.solve.problem import USABLE, JobAsk, Problem, ServiceAsk

UNSTATED_TIMES: Final = 4
"""A value that was not stated is so many times what all of the work costs by its dearest way at list prices, ..."""
UNSTATED_MICROS: Final = 1_000_000
"""... and at least this, an hour (of each job)."""


class PartKind(StrEnum):
    """`least` is the least number of replicas, `demand` everything else."""

    DEMAND = "demand"
    LEAST = "least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of what a work (by its position in the problem's `works`) asks for; `value` is micros an hour."""

    work: int
    tenant: str
    kind: PartKind
    value: float


def parts_of(problem: Problem) -> list[Part]:
    """The parts of every work that asks for anything.

    The least replicas together are worth as much as the demand, and at least what an unstated value would be: a
    service's least number of replicas stands wherever there is room.
    """
    prices: dict[str, int] = {}
    for pool in problem.pools:
        prices[pool.chip] = max(prices.get(pool.chip, 0), pool.price_micros)
    found: list[Part] = []
    for index, work in enumerate(problem.works):
        stated = None if work.value_micros is None else float(work.value_micros)
        if isinstance(work, JobAsk):
            if work.count:
                each = _unstated(work, prices) if stated is None else stated
                found.append(_part(index, work, PartKind.DEMAND, each * work.count))
            continue
        usual = _unstated(work, prices)
        if work.demand_rps > 0:
            found.append(_part(index, work, PartKind.DEMAND, usual if stated is None else stated))
        if work.min_replicas > 0:
            found.append(_part(index, work, PartKind.LEAST, max(usual, stated or 0.0)))
    return found


def by_work(parts: Iterable[Part]) -> dict[int, list[Part]]:
    """The parts of each work."""
    grouped: dict[int, list[Part]] = {}
    for part in parts:
        grouped.setdefault(part.work, []).append(part)
    return grouped


def _part(index: int, work: ServiceAsk | JobAsk, kind: PartKind, value: float) -> Part:
    return Part(work=index, tenant=work.tenant, kind=kind, value=value)


def _unstated(work: ServiceAsk | JobAsk, prices: dict[str, int]) -> float:
    """Of a service, or of one job of a shape."""
    full = full_rate(work)
    least = work.min_replicas if isinstance(work, ServiceAsk) else 1
    dearest = 0.0
    for way in work.ways:
        if way.evidence in USABLE:
            step = step_of(work, way, full) if isinstance(work, ServiceAsk) else 1.0
            replicas = max(least, 1.0 / step if step > 0 else 0)
            dearest = max(dearest, replicas * way.devices * prices.get(way.chip, 0))
    return max(float(UNSTATED_MICROS), UNSTATED_TIMES * dearest)
