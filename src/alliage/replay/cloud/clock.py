"""The virtual clock of a replayed cloud."""

from dataclasses import dataclass
from typing import Final

WALL_S: Final = 1_800_000_000.0
"""Seconds since 1970 at its beginning: any time would do, this one is always the same."""


@dataclass(slots=True)
class VirtualClock:
    """Implements Clock: time is `t_s`, seconds since the beginning, and stands still until it is set."""

    t_s: float = 0.0
    shift_s: float = 0.0
    """How far somebody set the wall clock off."""

    def now_s(self) -> float:
        """Wall clock."""
        return WALL_S + self.t_s + self.shift_s

    def monotonic_s(self) -> float:
        """For durations."""
        return self.t_s
