"""From what clients saw to the figures of a round. Pure; times are seconds after the fault unless they say otherwise."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.heal.clients import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The objective of the service."""

    ttft_s: float
    tpot_s: float

    def is_kept(self, one: Asked) -> bool:
        """By one request."""
        return not one.failure and one.first_s > 0 and one.ttft_s <= self.ttft_s and one.tpot_s <= self.tpot_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One death."""

    replicas: int
    busy: int
    """Of them; each answered something when its node died."""
    requests: int
    failures: tuple[str, ...]
    continued: int
    """Streams that the gateway gave to another replica."""
    longest_gap_s: float
    kept_before: float
    kept_after: float
    """Shares of requests that kept the objective: before the fault, and after it was kept again."""
    kept_again_s: float
    lost_s: float
    """Until control had taken the replicas of the node away."""
    placed_s: float
    """Until it had placed their successors."""
    ready_s: float
    """Until those were ready."""
    load_s: float
    """What one of them took to load."""
    late_s: float
    """By how much the rehearsed engines were late, at most."""


def kept_again_s(asked: Sequence[Asked], goal: Goal, fault_s: float) -> float:
    """When the last request that missed the objective was begun; 0 where none that was begun after the fault did."""
    return max(
        (one.begun_s - fault_s for one in asked if one.begun_s >= fault_s and not goal.is_kept(one)), default=0.0
    )


def share(asked: Sequence[Asked], goal: Goal, begin_s: float, end_s: float) -> float:
    """Of the requests that began in that time: how many kept the objective; 1 where there were none."""
    among = [one for one in asked if begin_s <= one.begun_s < end_s]
    return sum(map(goal.is_kept, among)) / len(among) if among else 1.0


def median(rounds: Sequence[Round], name: str) -> float:
    """Of one figure."""
    return float(statistics.median(getattr(each, name) for each in rounds))
