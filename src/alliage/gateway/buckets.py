"""A token bucket that fills at the rate of a lease: what may be let in now, and when more may. No clock, no I/O."""

from typing import Final

BURST_S: Final = 60.0
"""What comes in so many seconds fits in: after a quiet minute a whole minute's worth may be taken at once."""
_FULL: Final = 1.0 - 1e-9


class Bucket:
    """`level` is what may be taken now; below zero what must come in first. It never holds more than `capacity`.

    What is taken in t seconds is at most `capacity` + t times the rate, and what one need goes beyond the capacity: a need
    that is larger is let in when the bucket is full, and the next one waits until that is paid for.
    """

    __slots__ = ("_at_s", "_rate", "capacity", "level")

    def __init__(self, per_minute: float, now_s: float) -> None:
        self.capacity = per_minute * (BURST_S / 60.0)
        self.level = self.capacity
        self._rate = per_minute / 60.0
        self._at_s = now_s

    def lease(self, per_minute: float, now_s: float) -> None:
        """From now on it fills at this rate; what it holds beyond the new capacity is lost."""
        self.fill(now_s)
        self.capacity = per_minute * (BURST_S / 60.0)
        self._rate = per_minute / 60.0
        self.level = min(self.level, self.capacity)

    def fill(self, now_s: float) -> None:
        """Time has passed; a clock that goes backwards brings nothing."""
        if now_s > self._at_s:
            self.level = min(self.capacity, self.level + (now_s - self._at_s) * self._rate)
            self._at_s = now_s

    def has(self, need: float, now_s: float) -> bool:
        """Whether so much may be taken now."""
        self.fill(now_s)
        return self.level >= need or (need > self.capacity > 0.0 and self.level >= self.capacity * _FULL)

    def take(self, need: float) -> None:
        """It is let in. Below zero: given back, or it turned out to be less."""
        self.level = min(self.capacity, self.level - need)

    def wait_s(self, need: float) -> float:
        """Seconds until `has` says yes, if nobody else takes any; infinite where it never will."""
        missing = min(need, self.capacity) - self.level
        if missing <= 0.0 < self.capacity:
            return 0.0
        return missing / self._rate if self._rate > 0.0 else float("inf")

    @property
    def left(self) -> float:
        """The share of it that may be taken now; below zero what must come in first."""
        return 0.0 if self.capacity <= 0.0 else self.level / self.capacity

    @property
    def whole(self) -> int:
        """What may be taken now, in whole ones."""
        return int(self.level) if self.level > 0.0 else 0

    @property
    def full_s(self) -> float:
        """Seconds until it is full."""
        return max(0.0, self.capacity - self.level) / self._rate if self._rate > 0.0 else 0.0
