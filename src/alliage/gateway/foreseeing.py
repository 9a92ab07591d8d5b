"""How long a request would wait for its turn, and whether an objective could still be kept after that. Pure."""

from math import ceil, exp
from typing import Final

RETRY_S_MAX: Final = 3600.0
_MEMORY_S: Final = 30.0
"""Turns longer ago than this count for little."""


class Pace:
    """How many turns a second a saturated service gives; while it is not saturated no time passes here."""

    __slots__ = ("_seconds", "_turns", "seen_s")

    def __init__(self) -> None:
        self._turns = self._seconds = 0.0
        self.seen_s = 0.0
        """Until when it was watched."""

    def begins(self, now_s: float) -> None:
        """It is saturated from now on."""
        self.seen_s = now_s

    def gave(self, now_s: float) -> None:
        """One more turn."""
        passed_s = max(0.0, now_s - self.seen_s)
        kept = exp(-passed_s / _MEMORY_S)
        self._turns = self._turns * kept + 1.0
        self._seconds = self._seconds * kept + passed_s
        self.seen_s = now_s

    def turns_per_s(self, now_s: float, expected: float) -> float:
        """By what was seen, and by one turn's worth of what is `expected` (turns a second; 0: nothing is) until more was."""
        seconds = self._seconds + max(0.0, now_s - self.seen_s)
        turns = self._turns
        if expected > 0.0:
            turns, seconds = turns + 1.0, seconds + 1.0 / expected
        return turns / seconds if seconds > 0.0 else 0.0


def wait_s(ahead: int, share: float, waiting: int, turns_per_s: float) -> float:
    """Seconds until the turn of one more request.

    `ahead` of its tenant's wait, `waiting` of all tenants'; its tenant gets `share` of the `turns_per_s`. Nobody waits longer than
    for all who are there. 0 where no rate is known.
    """
    if turns_per_s <= 0.0:
        return 0.0
    turns = min((ahead + 1) / share if share > 0.0 else waiting + 1.0, waiting + 1.0)
    return turns / turns_per_s


def too_late_s(wait: float, after_s: float, promised_s: float) -> float:
    """By how many seconds a first token would miss its promise for having waited; 0 where it would not.

    `after_s` is what it needs once it has its turn. Where that alone misses the promise, a shorter queue cannot help: then the
    wait alone is held against it. If nothing new came, the queue would be short enough after the seconds that are returned.
    """
    allowed_s = promised_s - after_s if after_s < promised_s else promised_s
    return max(0.0, wait - allowed_s)


def retry_s(late_s: float) -> int:
    """What `Retry-After` says: whole seconds, at least one, at most an hour."""
    return max(1, ceil(min(late_s, RETRY_S_MAX)))
