"""What typical shapes can make of a device's idle milli and of cpu, so that hosts that are worth the same look alike.

All of it is exact: rounding idle down to what can be filled, and cpu to what can be used, changes no simulated fill.
"""

from collections.abc import Sequence
from typing import NamedTuple

WHOLE = 1000
NOTHING_FITS = 1 << 61
NO_LIMIT = 1 << 40


class Demand(NamedTuple):
    """A shape without memory and kinds: what matters to how full a host is."""

    cpu_milli: int
    device_milli: int
    devices: int

    @property
    def milli(self) -> int:
        """Of all devices together."""
        return self.device_milli * self.devices


class Limits(NamedTuple):
    """Three tables by idle milli from 0 to 1000, one by cells of cpu."""

    rounded: tuple[int, ...]
    """The most of it that typical shapes can fill."""
    appetite: tuple[int, ...]
    """The most cpu that they can use in it."""
    least: tuple[int, ...]
    """The least cpu of one that fits in it."""
    reach: tuple[int, ...]
    """The most milli that they can fill with so much cpu, devices aside."""


def find_limits(classes: Sequence[Demand], cells: int, cell_milli: int, *, bare: bool) -> Limits:
    """The limits of a kind that these demands accept; with `bare`, requests without devices use any cpu."""
    rounded, appetite, least = [0] * (WHOLE + 1), [0] * (WHOLE + 1), [NOTHING_FITS] * (WHOLE + 1)
    for idle in range(1, WHOLE + 1):
        fitting = [one for one in classes if one.device_milli <= idle]
        for one in fitting:
            rest = idle - one.device_milli
            rounded[idle] = max(rounded[idle], one.device_milli + rounded[rest])
            appetite[idle] = max(appetite[idle], -(-one.cpu_milli // one.devices) + appetite[rest])
            least[idle] = min(least[idle], one.cpu_milli)
    return Limits(
        rounded=tuple(rounded),
        appetite=(NO_LIMIT,) * (WHOLE + 1) if bare else tuple(appetite),
        least=tuple(least),
        reach=tuple(_reach(classes, index * cell_milli) for index in range(cells)),
    )


def _reach(classes: Sequence[Demand], cpu_milli: int) -> int:
    """From above: the most milli a demand has for its cpu, times the cpu."""
    fitting = [one for one in classes if one.cpu_milli <= cpu_milli]
    if any(one.cpu_milli == 0 for one in fitting):
        return NO_LIMIT
    return max((-(-one.milli * cpu_milli // one.cpu_milli) for one in fitting), default=0)
