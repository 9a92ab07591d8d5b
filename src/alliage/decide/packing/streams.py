"""Streams of typical shapes, drawn once: what might come, the same for every host.

So two hosts are compared by the same future. At each place of the streams the draws are spread evenly over the shapes (Latin hypercube), which
steadies the mean over few streams.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MULTIPLIER, _INCREMENT, _MODULUS = 6364136223846793005, 1442695040888963407, 1 << 64  # Knuth, MMIX
_SEED = 12345


def draw_streams(shares: Sequence[float], count: int, length: int) -> NDArray[np.int64]:
    """`count` x `length` indices into `shares`, which need not sum to 1; the same for the same shares everywhere."""
    if not shares:
        return np.zeros((count, 0), np.int64)
    draws = _uniform(2 * count * length).reshape(2, length, count)
    order = np.argsort(draws[0], axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    points = ((rank + draws[1]) / count).T
    ends = np.cumsum(np.asarray(shares, np.float64))
    chosen: NDArray[np.int64] = np.minimum(np.searchsorted(ends / ends[-1], points, side="right"), len(shares) - 1)
    return chosen


def _uniform(count: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) from a linear congruential generator: 53 high bits each."""
    state, numbers = _SEED, np.empty(count)
    for index in range(count):
        state = (state * _MULTIPLIER + _INCREMENT) % _MODULUS
        numbers[index] = (state >> 11) / 2.0**53
    return numbers
