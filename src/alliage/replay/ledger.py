"""An account of what hosts hold, kept apart from every packer: a replay counts only what this finds to be there."""

from collections.abc import Sequence
from typing import Final

from alliage.decide.packing.shapes import Host, Placed, Shape

WHOLE_MILLI: Final = 1000


class Ledger:
    """Plain and slow on purpose; shares no code with any policy."""

    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape]) -> None:
        self._hosts, self._shapes = hosts, shapes
        self._cpu_milli = [host.cpu_milli for host in hosts]
        self._memory_mib = [host.memory_mib for host in hosts]
        self._idle_milli = [[WHOLE_MILLI] * host.devices for host in hosts]

    def take(self, placed: Placed) -> None:
        """Book one placement. Raises ValueError where it takes what is not there, or not what its shape asks for."""
        shape, host = self._shapes[placed.shape], placed.host
        idle = self._idle_milli[host]
        if shape.devices and shape.kinds and self._hosts[host].kind not in shape.kinds:
            raise ValueError(f"{placed}: kind {self._hosts[host].kind!r} is not accepted")
        if len(set(placed.devices)) != shape.devices:
            raise ValueError(f"{placed}: {shape.devices} devices were asked for")
        if any(idle[device] < shape.device_milli for device in placed.devices):
            raise ValueError(f"{placed}: a device has less than {shape.device_milli} thousandths left")
        self._book(placed, 1)
        if self._cpu_milli[host] < 0 or self._memory_mib[host] < 0:
            raise ValueError(f"{placed}: the host has not that much CPU or memory left")

    def give_back(self, placed: Placed) -> None:
        """Take a placement off the books."""
        self._book(placed, -1)

    def _book(self, placed: Placed, sign: int) -> None:
        shape = self._shapes[placed.shape]
        self._cpu_milli[placed.host] -= sign * shape.cpu_milli
        self._memory_mib[placed.host] -= sign * shape.memory_mib
        for device in placed.devices:
            self._idle_milli[placed.host][device] -= sign * shape.device_milli
