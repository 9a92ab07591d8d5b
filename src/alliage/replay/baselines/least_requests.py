"""Baseline: least requests. The replica with the fewest requests that have not ended; the first of equals."""

from alliage.replay.router import Seen


class LeastRequests:
    """A router that counts requests, blind to speeds, lengths and prefixes."""

    def __init__(self, replicas: int) -> None:
        self._open = [0] * replicas

    def choose(self, _request: Seen, _now_s: float) -> int:
        """The one with the fewest."""
        chosen = self._open.index(min(self._open))
        self._open[chosen] += 1
        return chosen

    def began(self, key: int, replica: int, now_s: float) -> None:
        """It does not matter here."""

    def ended(self, _key: int, replica: int, _now_s: float, _output_tokens: int) -> None:
        """One less there."""
        self._open[replica] -= 1
