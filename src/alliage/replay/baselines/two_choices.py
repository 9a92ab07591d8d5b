"""Baseline: the power of two choices. The one of two random replicas that has fewer requests (Mitzenmacher, IEEE TPDS 2001)."""

from random import Random

from alliage.replay.router import Seen


class TwoChoices:
    """A router that draws two different replicas from a seed and counts requests."""

    def __init__(self, replicas: int, seed: int) -> None:
        self._open = [0] * replicas
        self._dice = Random(seed)  # noqa: S311 - a simulation

    def choose(self, _request: Seen, _now_s: float) -> int:
        """The lesser of two."""
        two = self._dice.sample(range(len(self._open)), min(2, len(self._open)))
        chosen = min(two, key=self._open.__getitem__)
        self._open[chosen] += 1
        return chosen

    def began(self, key: int, replica: int, now_s: float) -> None:
        """It does not matter here."""

    def ended(self, _key: int, replica: int, _now_s: float, _output_tokens: int) -> None:
        """One less there."""
        self._open[replica] -= 1
