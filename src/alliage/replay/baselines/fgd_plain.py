"""Baseline: FGD, plain and uncached, as "Beware of Fragmentation" (USENIX ATC 2023) has it. For tests of the fast one.

A host with R idle thousandths of devices in all is fragmented for a shape m by F(m): R where m cannot run there at all
(CPU only, kind not accepted, CPU short, too few devices with room), else what is idle on devices too full for m. F is
the sum over typical shapes of share x F(m). A request goes where F grows least: the score is the whole number
`int(100 x sigmoid(F before - F after, in devices))`, highest wins, the first host on a tie, as published.
"""

from collections.abc import Sequence
from math import exp
from typing import Final

import numpy as np

from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape, Typical
from alliage.replay.baselines.room import Integers, Room

LEVELS: Final = 100
EXPONENT_MAX: Final = 700.0
"""`exp` of more overflows; the score is 0 long before."""


def fragmentation(host_kind: str, cpu_milli: int, idle: Integers, typical: Sequence[Typical]) -> float:
    """F of one host in thousandths of a device, from its idle CPU and the idle thousandths of each device."""
    total = 0.0
    for each in typical:  # one after the other, so that the compiled one rounds alike
        total += each.share * _fragments(host_kind, cpu_milli, idle, each.shape)
    return total


def _fragments(host_kind: str, cpu_milli: int, idle: Integers, shape: Shape) -> int:
    able = idle >= shape.device_milli
    accepted = not shape.kinds or host_kind in shape.kinds
    runs = shape.devices and accepted and cpu_milli >= shape.cpu_milli and able.sum() >= shape.devices
    return int(idle[~able].sum() if runs else idle.sum())


def score(before: float, after: float) -> int:
    """The published whole-number score of a change of F, both in thousandths of a device."""
    return int(LEVELS * (1 / (1 + exp(min((after - before) / WHOLE, EXPONENT_MAX)))))


class PlainFgd:
    """FGD as written down. With `least_idle`, a tie goes to the host with the least idle devices, then the first."""

    def __init__(
        self, hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], *, least_idle: bool = False
    ) -> None:
        self._hosts, self._typical, self._least_idle = hosts, typical, least_idle
        self._room = Room(hosts, shapes)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        asked = self._room.shapes[shape]
        best: tuple[tuple[int, int, int], tuple[int, ...]] | None = None
        for host in np.flatnonzero(self._room.fits(asked)):
            points, devices = self._best_devices(asked, int(host))
            idle = int(self._room.idle[host].sum()) if self._least_idle else 0
            rank = (points, -idle, -int(host))
            if best is None or rank > best[0]:
                best = (rank, devices)
        return None if best is None else self._room.take(shape, -best[0][2], best[1])

    def _best_devices(self, asked: Shape, host: int) -> tuple[int, tuple[int, ...]]:
        choices: list[tuple[int, ...]]
        able = [int(device) for device in np.flatnonzero(self._room.idle[host] >= asked.device_milli)]
        shared = asked.devices == 1 and asked.device_milli < WHOLE
        choices = [(device,) for device in able] if shared else [tuple(able[: asked.devices])]
        scores = [self._score(asked, host, devices) for devices in choices]
        best = max(scores)
        return best, choices[scores.index(best)]

    def _score(self, asked: Shape, host: int, devices: tuple[int, ...]) -> int:
        kind, cpu, idle = self._hosts[host].kind, int(self._room.cpu_milli[host]), self._room.idle[host]
        after = idle.copy()
        after[list(devices)] -= asked.device_milli
        before = fragmentation(kind, cpu, idle, self._typical)
        return score(before, fragmentation(kind, cpu - asked.cpu_milli, after, self._typical))

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._room.give_back(placed)
