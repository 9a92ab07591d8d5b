"""What typical shapes can make of a device's idle milli and of cpu, so that hosts that are worth the same look alike.

Idle rounded down to what typical shapes can fill has room for the same of them, now and after any of them; cpu cut at
what they can use is never short.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from alliage.decide.packing.shapes import WHOLE

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
    """Three tables by idle milli from 0 to 1000, and who makes most of cpu."""

    rounded: tuple[int, ...]
    """The most of it that typical shapes can fill."""
    appetite: tuple[int, ...]
    """The most cpu that they can use in it."""
    least: tuple[int, ...]
    """The least cpu of one that fits in it."""
    densest: tuple[int, int]
    """Milli and cpu of the one that fills most for its cpu; cpu 0 where cpu is no limit."""


def find_limits(classes: Sequence[Demand], *, bare: bool) -> Limits:
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
        densest=_densest(classes),
    )


def _densest(classes: Sequence[Demand]) -> tuple[int, int]:
    if not classes:
        return 0, 1
    best = max(classes, key=lambda one: one.milli / one.cpu_milli if one.cpu_milli else inf)
    return best.milli, best.cpu_milli
