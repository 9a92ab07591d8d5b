"""Chance: how likely answers are late, since the prompts that are read beside them come when they come. Pure."""

from math import sqrt
from typing import Final

_DOUBTED: Final = 8.0
"""So many requests' worth of doubt in what was seen of one replica's prompts: until then all of the service's count."""
_NEWEST_MIN: Final = 0.03


class Reads:
    """Seconds that the prompts sent to one replica take to read, and their squares: means that follow slowly.

    Who reads fast is sent long prompts, so that the service's mean says little of one replica.
    """

    __slots__ = ("count", "mean_s", "square")

    def __init__(self) -> None:
        self.count = 0
        self.mean_s = self.square = 0.0

    def add(self, read_s: float) -> None:
        """One more."""
        self.count += 1
        weight = max(_NEWEST_MIN, 1.0 / self.count)
        self.mean_s += weight * (read_s - self.mean_s)
        self.square += weight * (read_s * read_s - self.square)

    def among(self, all_s: float) -> tuple[float, float]:
        """Mean and mean square, where prompts of the service would take `all_s` in the mean (exponential)."""
        share = self.count / (self.count + _DOUBTED)
        all_square = 2.0 * all_s * all_s
        return all_s + share * (self.mean_s - all_s), all_square + share * (self.square - all_square)


def late_share(spare_s: float, spread: float) -> float:
    """(1 - s / h) / 2 with h^2 = s^2 + spread: how many are late that have `spare_s` left in the mean.

    Of answers of n tokens, n exponential of mean m, that wait n T + N(0, n v) and may wait n L, with s = L - T and
    spread = 2 v / m: the normal distribution integrated over n. Of other times it is a curve of the right shape.
    """
    square = spare_s * spare_s + spread
    return 0.5 - 0.5 * spare_s / sqrt(square) if square else 0.5
