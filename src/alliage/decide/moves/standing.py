"""How a set of hosts stands: what is idle on each, and who lives there. A working copy that proposals are tried on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """One request that has its place. Costs are micros: of starting it anew elsewhere, and of stopping it.

    None: it may not be moved, or not be stopped (not preemptible, or not yet past its minimum run time).
    """

    id: str
    shape: Shape
    host: int
    devices: tuple[int, ...]
    move_micros: int | None
    stop_micros: int | None


@dataclass(slots=True)
class Standing:
    """Idle CPU, memory and thousandths of each device, by host."""

    hosts: Sequence[Host]
    cpu_milli: list[int] = field(default_factory=list)
    memory_mib: list[int] = field(default_factory=list)
    idle: list[list[int]] = field(default_factory=list)

    @classmethod
    def of(cls, hosts: Sequence[Host], residents: Iterable[Resident]) -> "Standing":
        """Hosts with their residents on them."""
        standing = cls(
            hosts,
            [host.cpu_milli for host in hosts],
            [host.memory_mib for host in hosts],
            [[WHOLE] * host.devices for host in hosts],
        )
        for resident in residents:
            standing.take(resident.shape, resident.host, resident.devices)
        return standing

    def copy(self) -> "Standing":
        """To be tried on."""
        idle = [list(each) for each in self.idle]
        return Standing(self.hosts, list(self.cpu_milli), list(self.memory_mib), idle)

    def take(self, shape: Shape, host: int, devices: Sequence[int]) -> None:
        """Hold what one request of the shape takes there."""
        self._change(shape, host, devices, -1)

    def release(self, shape: Shape, host: int, devices: Sequence[int]) -> None:
        """Give it back."""
        self._change(shape, host, devices, 1)

    def room_for(self, shape: Shape, host: int) -> tuple[int, ...] | None:
        """The devices it would get there: the fullest that suffices for a part, the first idle ones for whole devices."""
        at = self.hosts[host]
        if shape.cpu_milli > self.cpu_milli[host] or shape.memory_mib > self.memory_mib[host]:
            return None
        if not shape.devices:
            return ()
        if shape.kinds and at.kind not in shape.kinds:
            return None
        idle = self.idle[host]
        fitting = sorted((left, index) for index, left in enumerate(idle) if left >= shape.device_milli)
        if len(fitting) < shape.devices:
            return None
        return tuple(sorted(index for _, index in fitting[: shape.devices]))

    def could_ever(self, shape: Shape, host: int) -> bool:
        """Whether the empty host has room for it."""
        at = self.hosts[host]
        kind = not shape.devices or not shape.kinds or at.kind in shape.kinds
        enough = shape.cpu_milli <= at.cpu_milli and shape.memory_mib <= at.memory_mib and shape.devices <= at.devices
        return kind and enough

    def place(self, shape: Shape, *, but: int) -> Placed | None:
        """The host, other than `but`, that is left with the least idle; None where it fits nowhere else."""
        best: tuple[int, int] | None = None
        for host in range(len(self.hosts)):
            if host != but and self.room_for(shape, host) is not None:
                left = (sum(self.idle[host]), host)
                best = left if best is None or left < best else best
        if best is None:
            return None
        return Placed(shape=-1, host=best[1], devices=self.room_for(shape, best[1]) or ())

    def _change(self, shape: Shape, host: int, devices: Sequence[int], sign: int) -> None:
        self.cpu_milli[host] += sign * shape.cpu_milli
        self.memory_mib[host] += sign * shape.memory_mib
        for device in devices:
            self.idle[host][device] += sign * shape.device_milli
