"""Baseline: round robin. One replica after the other, whatever they are."""

from alliage.replay.router import Seen


class RoundRobin:
    """A router that looks at nothing."""

    def __init__(self, replicas: int) -> None:
        self._replicas, self._next = replicas, 0

    def choose(self, _request: Seen, _now_s: float) -> int:
        """The next one."""
        chosen = self._next
        self._next = (chosen + 1) % self._replicas
        return chosen

    def began(self, key: int, replica: int, now_s: float) -> None:
        """It does not matter here."""

    def ended(self, key: int, replica: int, now_s: float, output_tokens: int) -> None:
        """Nor does this."""
