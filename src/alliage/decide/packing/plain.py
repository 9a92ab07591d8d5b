"""The rule of packing once more, written for reading: every host scored from scratch, nothing grouped, kept or cut short.

The kernels must give the same costs and so the same choices; a property test holds them to it. Some thousand times slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alliage.decide.packing.makes import Make, Mask, make_of, mask_of
from alliage.decide.packing.scarcity import bare_share, cell_of, reach
from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape, Typical
from alliage.decide.packing.slots import slot_worths, unforeseen_gangs
from alliage.decide.packing.streams import draw_streams
from alliage.decide.packing.tables import demand_of, in_order
from alliage.decide.packing.weights import Weights

GRAINS = 1024  # in a milli of one stream


@dataclass(slots=True)
class Room:
    """What is left of a host, and how many requests it holds."""

    host: Host
    cpu: int
    memory: int
    idle: list[int]
    held: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to place a request: grains it costs, what decides between equals, and where."""

    cost: int
    tie: tuple[object, ...]
    host: int
    device_idle: int
    """Of the device to share, before it is shared; 1000 for whole devices, 0 for none."""


class PlainPacking:
    """Hosts, the requests that may come, and the shapes that are typical; see `Packing`."""

    def __init__(
        self,
        hosts: Sequence[Host],
        shapes: Sequence[Shape],
        typical: Sequence[Typical],
        weights: Weights | None = None,
    ) -> None:
        """All hosts empty."""
        self.weights = (weights or Weights()).for_reach(reach(hosts, typical))
        self.shapes = shapes
        self.rooms = [Room(host, host.cpu_milli, host.memory_mib, [WHOLE] * host.devices) for host in hosts]
        self.makes = sorted({make_of(host) for host in hosts})
        told = in_order(typical)
        self.wanting = [one for one in told if one.shape.devices]
        self.wanting += unforeseen_gangs(hosts, self.wanting, self.weights.unforeseen)
        total = sum(one.share * demand_of(one.shape).milli for one in self.wanting)
        self.worth = [one.share * demand_of(one.shape).milli / total for one in self.wanting]
        self.slot_worth = slot_worths(self.wanting, self.worth)
        self.cell = self.weights.cell_milli or cell_of(told, self.weights.cells_a_request)
        self.sums = {make: self._sums(make) for make in self.makes}
        self._draw(told, bare_share(hosts, told))

    def _draw(self, told: Sequence[Typical], bare: float) -> None:
        some = [one for one in told if one.shape.devices or bare > 0]
        shares = [one.share if one.shape.devices else one.share * bare for one in some]
        picks = draw_streams(shares, self.weights.streams, self.weights.stream_shapes)
        self.streams = [[some[pick].shape for pick in row] for row in picks.tolist()]

    def choices(self, shape: int) -> list[Choice]:
        """Every way to place a request, one for each host and distinct device."""
        wanted = self.shapes[shape]
        found: list[Choice] = []
        for index, room in enumerate(self.rooms):
            for way, device_idle in enumerate(self._ways(room, wanted)):
                cost = sum(self.terms(shape, index, device_idle))
                found.append(Choice(cost, (*self._tie(room), way), index, device_idle))
        return found

    def take(self, placed: Placed, by: int = 1) -> None:
        """Takes (1) or gives back (-1) what a request holds."""
        room, shape = self.rooms[placed.host], self.shapes[placed.shape]
        for device in placed.devices:
            room.idle[device] -= by * demand_of(shape).device_milli
        room.cpu -= by * shape.cpu_milli
        room.memory -= by * shape.memory_mib
        room.held += by

    def terms(self, shape: int, host: int, device_idle: int) -> tuple[int, int, int, int]:
        """Fill loss, kind, slot and opening price of one way, in grains."""
        room, wanted, demand = self.rooms[host], self.shapes[shape], demand_of(self.shapes[shape])
        before, after = sorted(room.idle), sorted(room.idle)
        for _ in range(demand.devices):
            after.remove(device_idle)
            after.append(device_idle - demand.device_milli)
        cpu = room.cpu - room.cpu % self.cell
        left = max(0, cpu - wanted.cpu_milli)
        left -= left % self.cell
        make = make_of(room.host)
        grain = GRAINS * self.weights.streams
        lost = self._waste(make, left, sorted(after)) - self._waste(make, cpu, before)
        price = int(self.weights.kind * demand.milli * self._demand_price(make) * grain) if demand.devices else 0
        slot = 0
        for one, worth in zip(self.wanting, self.slot_worth, strict=True):
            total = sum(self._slots(one.shape, each) for each in self.rooms)
            cost = min(int(self.weights.slot * worth * self._idle() / max(total, 1) * grain), 1 << 36)
            slot += cost * (self._fits(one.shape, make, cpu, before) - self._fits(one.shape, make, left, sorted(after)))
        return lost * GRAINS, price, slot, self._opening(room, grain)

    def _ways(self, room: Room, shape: Shape) -> list[int]:
        demand = demand_of(shape)
        if room.cpu < shape.cpu_milli or room.memory < shape.memory_mib:
            return []
        if demand.devices == 0:
            return [0]
        if shape.kinds and room.host.kind not in shape.kinds:
            return []
        if demand.device_milli < WHOLE:
            return sorted({idle for idle in room.idle if idle >= demand.device_milli})
        return [WHOLE] if room.idle.count(WHOLE) >= demand.devices else []

    def _tie(self, room: Room) -> tuple[object, ...]:
        """Least idle; used before empty; least cpu; the idle devices; the make with most idle, then by name."""
        host = room.host
        make = self.makes.index(make_of(host))
        few = room.held < len(self.weights.chances()) - 1
        empty = (make, host.devices, host.cpu_milli, host.memory_mib, room.held) if few else (-1,)
        idle_of_make = sum(sum(each.idle) for each in self.rooms if make_of(each.host) == make_of(host))
        cell = room.cpu - room.cpu % self.cell
        return sum(room.idle), empty, cell, host.devices, *sorted(room.idle), -idle_of_make, make

    def _idle(self) -> int:
        return sum(sum(room.idle) for room in self.rooms)

    def _demand_price(self, make: Make) -> float:
        """Demand that may use the make, over the room open to that demand."""
        by_mask: dict[Mask, float] = {}
        for one, worth in zip(self.wanting, self.worth, strict=True):
            by_mask[mask_of(one.shape)] = by_mask.get(mask_of(one.shape), 0.0) + worth
        price = 0.0
        for mask in sorted(by_mask, key=lambda mask: mask.order):
            if mask.takes(make):
                open_to = sum(sum(room.idle) for room in self.rooms if mask.takes(make_of(room.host)))
                price += by_mask[mask] * self._idle() / max(open_to, 1)
        return price

    def _opening(self, room: Room, grain: int) -> int:
        chances = (*self.weights.chances(), 0)
        last = len(chances) - 2
        host = room.host
        as_large = sum(
            chances[min(each.held, last)]
            for each in self.rooms
            if each.host.devices >= host.devices and each.host.cpu_milli >= host.cpu_milli
        )
        lost = chances[min(room.held, last)] - chances[min(room.held, last) + 1]
        return int(self.weights.opening * ((host.devices / 8.0) * lost / max(as_large, 1)) * WHOLE * grain)

    def _slots(self, shape: Shape, room: Room) -> int:
        return self._fits(shape, make_of(room.host), room.cpu - room.cpu % self.cell, room.idle)

    def _fits(self, shape: Shape, make: Make, cpu: int, idle: Sequence[int]) -> int:
        """How many of a typical shape fit, each alone."""
        if not mask_of(shape).takes(make):
            return 0
        demand = demand_of(shape)
        by_devices = sum(each // demand.device_milli for each in idle) // demand.devices
        return min(by_devices, cpu // demand.cpu_milli) if demand.cpu_milli else by_devices

    def _waste(self, make: Make, cpu: int, idle: Sequence[int]) -> int:
        """Milli that the streams leave of a host, over all streams."""
        rounded = [self._rounded(make, each) for each in idle]
        filled = sum(self._fill(make, stream, cpu, list(rounded)) for stream in self.streams)
        return self.weights.streams * sum(idle) - filled

    def _rounded(self, make: Make, idle: int) -> int:
        """The most of a device's idle milli that typical shapes on the make can fill."""
        return max(each for each in self.sums[make] if each <= idle)

    def _sums(self, make: Make) -> set[int]:
        wanting = [one.shape for one in self.wanting if mask_of(one.shape).takes(make)]
        wanted = {demand_of(shape).device_milli for shape in wanting}
        sums = {0}
        for total in range(1, WHOLE + 1):
            if any(total - each in sums for each in wanted):
                sums.add(total)
        return sums

    def _fill(self, make: Make, stream: Sequence[Shape], cpu: int, idle: list[int]) -> int:
        """Milli that one stream fills: the least device that suffices for a part, idle ones for whole devices."""
        filled = 0
        for shape in stream:
            demand = demand_of(shape)
            if demand.cpu_milli > cpu or not mask_of(shape).takes(make):
                continue
            if demand.devices == 1 and demand.device_milli < WHOLE:
                enough = [each for each in idle if each >= demand.device_milli]
                taken = [min(enough)] if enough else []
            else:
                taken = [each for each in idle if each == WHOLE][: demand.devices]
            if len(taken) < demand.devices:
                continue
            for each in taken:
                idle.remove(each)
                idle.append(each - demand.device_milli)
            cpu -= demand.cpu_milli
            filled += demand.milli
        return filled
