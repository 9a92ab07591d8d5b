"""How fast a replica turned out to be: how many times slower than its tempo says, apart for reading and for decoding. Pure.

One observation is believed a little and counts no more than a factor of four, so that a hiccup moves nothing; ten that
agree on a replica that is four times slower say so to three quarters of the way, in logarithms.
"""

from math import exp, log
from typing import Final

from alliage.fleet.routing import Tempo

SLOWER_MAX: Final = 16.0
FASTER_MAX: Final = 4.0
"""No replica is believed to be so much slower, or so much faster, than its tempo says."""
_BELIEF: Final = 0.15
"""How far one observation moves what is believed, in logarithms."""
_SURPRISE_MAX: Final = log(4.0)
_NOISE_S: Final = 0.005
"""What connections and the gateway add to a time: no sign of a slow engine."""


class Learned:
    """Factors on the times of a tempo."""

    __slots__ = ("decoding", "reading")

    def __init__(self) -> None:
        self.reading = 1.0
        self.decoding = 1.0

    def read(self, seen_s: float, expected_s: float) -> None:
        """A first token came after `seen_s`; with the factor of before it was expected after `expected_s`."""
        self.reading = _believed(self.reading, seen_s, expected_s)

    def decoded(self, tempo: Tempo, steps: int, *, seen_s: float, batch: float, held: float, reading_s: float) -> None:
        """So many steps took `seen_s`, with `batch` requests holding `held` tokens in the mean; `reading_s` of it went to prompts."""
        expected_s = self.decoding * steps * tempo.decode_s(batch, held) + reading_s
        self.decoding = _believed(self.decoding, seen_s, expected_s)


def _believed(factor: float, seen_s: float, expected_s: float) -> float:
    surprise = log((seen_s + _NOISE_S) / (expected_s + _NOISE_S))
    bounded = min(_SURPRISE_MAX, max(-_SURPRISE_MAX, surprise))
    return min(SLOWER_MAX, max(1 / FASTER_MAX, factor * exp(_BELIEF * bounded)))
