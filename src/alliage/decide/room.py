"""What is left on each device once the bindings of a view are taken off. Shared by plan and bind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alliage.fleet.ids import DeviceId, NodeId, ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Binding, Recipe, Replica
from alliage.fleet.view import FleetView

_NOT_YET_RESIDENT = frozenset({ReplicaPhase.BOUND, ReplicaPhase.FETCHING, ReplicaPhase.STARTING, ReplicaPhase.BACKOFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One device of a reachable node: the core ids and bytes that can still be bound, and who has the rest."""

    node: NodeId
    site: str
    device: Device
    cores: tuple[int, ...]
    memory_bytes: int
    holders: tuple[ServiceName, ...]

    @property
    def id(self) -> DeviceId:
        """The device's id."""
        return self.device.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The devices of one chip at one node, in the order of the node's own list."""

    node: NodeId
    site: str
    rooms: tuple[Room, ...]

    @property
    def chip(self) -> str:
        """The chip of all of them."""
        return self.rooms[0].device.chip

    @property
    def is_whole(self) -> bool:
        """Whether its devices are given whole: those that have no cores to share."""
        return not self.rooms[0].device.cores

    @property
    def free_cores(self) -> int:
        """Cores that can still be bound."""
        return sum(len(room.cores) for room in self.rooms)

    @property
    def free_bytes(self) -> int:
        """Memory that can still be bound."""
        return sum(room.memory_bytes for room in self.rooms)

    def free_for(self, recipe: Recipe) -> tuple[Room, ...]:
        """The rooms that one replica of the recipe would take; empty where there are too few.

        Devices given whole go to one binding each, first come first; each holds its part of the recipe's memory.
        """
        wanted, needed_bytes, cores, is_whole = recipe.devices, recipe.device_bytes, recipe.cores, self.is_whole
        free = [
            room
            for room in self.rooms
            if room.memory_bytes >= needed_bytes and (not room.holders if is_whole else len(room.cores) >= cores)
        ]
        return tuple(free[:wanted]) if len(free) >= wanted else ()

    def without(self, taken: Iterable[DeviceId], recipe: Recipe, service: ServiceName) -> "Spot":
        """What is left of it once a replica of the recipe has these devices."""
        ids = frozenset(taken)
        return replace(
            self, rooms=tuple(take(room, recipe, service) if room.id in ids else room for room in self.rooms)
        )


def take(room: Room, recipe: Recipe, service: ServiceName) -> Room:
    """What is left of one of the rooms that a replica of the recipe takes."""
    return replace(
        room,
        cores=room.cores[recipe.cores :],
        memory_bytes=room.memory_bytes - recipe.device_bytes,
        holders=tuple(dict.fromkeys((*room.holders, service))),
    )


def spots(rooms: Iterable[Room]) -> tuple[Spot, ...]:
    """Rooms by node and chip, in the order of their first ones."""
    grouped: dict[tuple[NodeId, str], list[Room]] = {}
    for room in rooms:
        grouped.setdefault((room.node, room.device.chip), []).append(room)
    return tuple(Spot(node=node, site=group[0].site, rooms=tuple(group)) for (node, _), group in grouped.items())


def rooms(view: FleetView) -> tuple[Room, ...]:
    """The room on every device of every ready node, but those that are cordoned."""
    held: dict[DeviceId, list[tuple[Replica, Binding]]] = {}
    for replica in view.replicas:
        for binding in replica.bindings:
            held.setdefault(binding.device, []).append((replica, binding))
    return tuple(
        _room(node, device, held.get(device.id, ()), view.free_bytes.get(device.id))
        for node in view.nodes
        if node.phase is NodePhase.READY
        for device in node.devices
        if node.takes(device.id)
    )


def _room(node: Node, device: Device, held: Sequence[tuple[Replica, Binding]], free_bytes: int | None) -> Room:
    taken = {core for _, binding in held for core in binding.cores}
    return Room(
        node=node.id,
        site=node.site,
        device=device,
        cores=tuple(core for core in device.cores if core not in taken),
        memory_bytes=_memory_left(device, held, free_bytes),
        holders=tuple(dict.fromkeys(replica.service for replica, _ in held)),
    )


def _memory_left(device: Device, held: Sequence[tuple[Replica, Binding]], free_bytes: int | None) -> int:
    """The lesser of what is not bound and what is free now, less what bound engines have yet to take."""
    bound = sum(binding.memory_bytes for _, binding in held)
    coming = sum(binding.memory_bytes for replica, binding in held if replica.phase in _NOT_YET_RESIDENT)
    left = device.memory_bytes - bound
    return max(0, left if free_bytes is None else min(left, free_bytes - coming))
