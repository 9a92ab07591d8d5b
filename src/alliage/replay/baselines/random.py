"""Baseline: Random. Any host with room, and any of its devices with room, from a seed."""

from collections.abc import Sequence

import numpy as np

from alliage.decide.packing.shapes import Host, Placed, Shape, Typical
from alliage.replay.baselines.room import Room


class Random:
    """A packer that chooses uniformly; whole devices are the first idle ones."""

    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape], _typical: Sequence[Typical], seed: int) -> None:
        self._room = Room(hosts, shapes)
        self._dice = np.random.default_rng(seed)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        asked = self._room.shapes[shape]
        hosts = np.flatnonzero(self._room.fits(asked))
        if not hosts.size:
            return None
        host = int(self._dice.choice(hosts))
        able = np.flatnonzero(self._room.idle[host] >= asked.device_milli)
        shared = asked.devices == 1 and asked.device_milli < 1000
        devices = [self._dice.choice(able)] if shared else able[: asked.devices]
        return self._room.take(shape, host, [int(device) for device in devices])

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._room.give_back(placed)
