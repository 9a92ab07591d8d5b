"""demand: requests as they came in -> the demand to plan for. It rises at once and falls late, in coarse steps. Pure."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil, log, sqrt
from typing import Final

WINDOW_S: Final = 60.0
"""Over which a rate is a mean: at one request a second it is known to about an eighth."""
SURGE_S: Final = 15.0
"""A rate that is surely higher in so short a time counts at once."""
LEAD_S: Final = 60.0
"""How far ahead a rise is carried on: about what a cold start takes."""
AHEAD_MOST: Final = 1.25
"""A rise is carried on to so many times what came in the last seconds at most: a burst that begins at once is a step, no slope."""
GRID: Final = 1.15
"""Rates are rounded up to powers of this, so that noise makes no new plans."""
LENGTHS_GRID: Final = 1.4
LENGTHS_FIRST: Final = 20
LENGTHS_LEAST: Final = 200
"""Answers from which on their lengths are believed: the first time, and against what was believed before. Lengths differ about as
much as they are long, so that the mean of 200 is known to a fourteenth."""


@dataclass(slots=True)
class Tide:
    """What came in of one service, by seconds, over the last `hold_s`; and the highest forecast of that time."""

    hold_s: float
    now_rps: float = 0.0
    """The forecast of the last `add`, before it is held."""
    _counts: deque[tuple[float, int]] = field(default_factory=deque)
    _added_s: float | None = None
    _peaks: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, at_s: float, asked: int) -> None:
        """So many more requests since the last time, evenly as far as is known; times never fall."""
        since_s = at_s if self._added_s is None else self._added_s
        self._added_s = at_s
        parts = max(1, min(int(at_s - since_s), int(WINDOW_S)))
        for part in range(1, parts + 1):
            if came := asked * part // parts - asked * (part - 1) // parts:
                self._counts.append((since_s + (at_s - since_s) * part / parts, came))
        while self._counts and self._counts[0][0] < at_s - max(self.hold_s, WINDOW_S):
            self._counts.popleft()
        rate = self.now_rps = self._forecast(at_s)
        while self._peaks and self._peaks[-1][1] <= rate:
            self._peaks.pop()
        self._peaks.append((at_s, rate))
        while self._peaks[0][0] < at_s - self.hold_s:
            self._peaks.popleft()

    @property
    def rate_rps(self) -> float:
        """The highest forecast of the last `hold_s`, rounded up to the grid."""
        return rounded_up(self._peaks[0][1], GRID) if self._peaks else 0.0

    @property
    def is_dry(self) -> bool:
        """Whether nothing came in all that time."""
        return not self._counts

    def _forecast(self, now_s: float) -> float:
        """The mean of a minute; more where the last seconds are surely above it, or the second half surely above the first."""
        mean = self._between(now_s - WINDOW_S, now_s) / WINDOW_S
        surge = self._between(now_s - SURGE_S, now_s)
        half_s = WINDOW_S / 2
        before, after = self._between(now_s - WINDOW_S, now_s - half_s), self._between(now_s - half_s, now_s)
        rise = max(0.0, after - before - 2 * sqrt(after + before)) / half_s
        ahead = min(mean + rise * LEAD_S / half_s, AHEAD_MOST * surge / SURGE_S)
        return max(mean, ahead, (surge - 2 * sqrt(surge)) / SURGE_S)

    def _between(self, begin_s: float, end_s: float) -> int:
        total = 0
        for at_s, count in reversed(self._counts):
            if at_s <= begin_s:
                break
            if at_s <= end_s:
                total += count
        return total


def rounded_up(value: float, grid: float) -> float:
    """The next power of `grid` from `value` on; 0 stays 0."""
    return 0.0 if value <= 0 else grid ** ceil(log(value) / log(grid) - 1e-9)


def settled_length(mean: float, before: int | None) -> int:
    """A mean number of tokens in coarse steps: the one before while the mean is within a step of it."""
    if before is not None and before / LENGTHS_GRID <= mean <= before * LENGTHS_GRID:
        return before
    return max(1, round(mean))
