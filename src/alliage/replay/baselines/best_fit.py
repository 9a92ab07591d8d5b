"""Baseline: BestFit, as in the FGD study. The host with the least left after the placement.

What is left is the mean of idle CPU and of idle devices, each over the most a node of the trace can have (128 cores, 8
devices), as a whole number of hundredths; the first host wins a tie. A shared device is the one with the least idle.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from alliage.decide.packing.shapes import Host, Placed, Shape, Typical
from alliage.replay.baselines.room import Room, tightest_devices

CPU_MILLI_MOST: Final = 128_000
DEVICE_MILLI_MOST: Final = 8_000


class BestFit:
    """A packer that leaves the least."""

    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape], _typical: Sequence[Typical]) -> None:
        self._room = Room(hosts, shapes)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        room, asked = self._room, self._room.shapes[shape]
        hosts = np.flatnonzero(room.fits(asked))
        if not hosts.size:
            return None
        cpu = (room.cpu_milli[hosts] - asked.cpu_milli) / CPU_MILLI_MOST
        devices = (room.idle[hosts].sum(axis=1) - asked.devices * asked.device_milli) / DEVICE_MILLI_MOST
        score = np.trunc((1 - (cpu * 0.5 + devices * 0.5)) * 100)
        host = int(hosts[np.argmax(score)])
        return room.take(shape, host, tightest_devices(room.idle[host], asked))

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._room.give_back(placed)
