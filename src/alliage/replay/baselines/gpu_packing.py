"""Baseline: GpuPacking, as in the FGD study. Devices in use first, then idle devices of used hosts, then idle hosts.

Scores as in the study, highest wins, the first host on a tie: all on shared devices, 100 less a tenth of the percent
that is idle on them; some idle devices of a used host, 50 less their number; a host with all devices idle, 33 less
their number. CPU-only requests find every host equal.
"""

from collections.abc import Sequence

import numpy as np

from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape, Typical
from alliage.replay.baselines.room import Flags, Integers, Room, tightest_devices


class GpuPacking:
    """A packer that fills what is in use."""

    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape], _typical: Sequence[Typical]) -> None:
        self._room = Room(hosts, shapes)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        room, asked = self._room, self._room.shapes[shape]
        fits = room.fits(asked)
        if not fits.any():
            return None
        host = int(np.argmax(np.where(fits, self._scores(asked), -1)))
        return room.take(shape, host, tightest_devices(room.idle[host], asked))

    def _scores(self, asked: Shape) -> Integers:
        room = self._room
        if not asked.devices:
            return np.zeros(len(room.devices), dtype=np.int64)
        idle_devices = (room.idle == WHOLE).sum(axis=1)
        on_idle_host = np.maximum(33 - idle_devices, idle_devices)
        shared, on_shared = self._on_shared(asked)
        on_used_host = np.maximum(50 - asked.devices, 33)
        used = np.where(shared, on_shared, on_used_host)
        return np.where(idle_devices == room.devices, on_idle_host, used)

    def _on_shared(self, asked: Shape) -> tuple[Flags, Integers]:
        """Which hosts need no idle device for it, and their scores."""
        able = np.where(self._room.idle >= asked.device_milli, self._room.idle, WHOLE)
        least = able.min(axis=1, initial=WHOLE)
        return least < WHOLE, np.maximum(100 - (least // 10) // 10, 50)

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._room.give_back(placed)
