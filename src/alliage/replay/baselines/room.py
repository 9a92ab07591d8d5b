"""What the baselines share: the state of the hosts as NumPy arrays, and which of them have room for a shape."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape

Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


class Room:
    """Idle CPU, memory and thousandths of each device, by host; a device a host does not have is one without any."""

    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape]) -> None:
        self.shapes = shapes
        self.devices: Integers = np.array([host.devices for host in hosts], dtype=np.int64)
        self.cpu_milli: Integers = np.array([host.cpu_milli for host in hosts], dtype=np.int64)
        self.memory_mib: Integers = np.array([host.memory_mib for host in hosts], dtype=np.int64)
        columns = np.arange(max((host.devices for host in hosts), default=0))
        self.idle: Integers = np.where(columns < self.devices[:, None], WHOLE, 0).astype(np.int64)
        self._accepting = {kinds: _accepting(hosts, kinds) for kinds in {shape.kinds for shape in shapes}}

    def fits(self, shape: Shape) -> Flags:
        """Which hosts have room for it now."""
        fits: Flags = (self.cpu_milli >= shape.cpu_milli) & (self.memory_mib >= shape.memory_mib)
        if shape.devices:
            fits &= self._accepting[shape.kinds]
            fits &= (self.idle >= shape.device_milli).sum(axis=1) >= shape.devices
        return fits

    def take(self, shape: int, host: int, devices: Sequence[int]) -> Placed:
        """Take the room on a host that has it."""
        placed = Placed(shape, host, tuple(int(device) for device in devices))
        self._book(placed, 1)
        return placed

    def give_back(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._book(placed, -1)

    def _book(self, placed: Placed, sign: int) -> None:
        shape = self.shapes[placed.shape]
        self.cpu_milli[placed.host] -= sign * shape.cpu_milli
        self.memory_mib[placed.host] -= sign * shape.memory_mib
        self.idle[placed.host, list(placed.devices)] -= sign * shape.device_milli


def tightest_devices(idle: Integers, shape: Shape) -> tuple[int, ...]:
    """Of one host's devices that have room, those with the least idle; the first ones where equal."""
    order = [int(device) for device in np.argsort(idle, kind="stable") if idle[device] >= shape.device_milli]
    return tuple(sorted(order[: shape.devices]))


def _accepting(hosts: Sequence[Host], kinds: frozenset[str]) -> Flags:
    return np.array([not kinds or host.kind in kinds for host in hosts], dtype=np.bool_)
