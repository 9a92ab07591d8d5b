"""option: a way of a service at the devices of one chip of one node, and what the devices lack for it. Pure."""

from dataclasses import dataclass

from alliage.decide.carrying import Promise
from alliage.decide.reasons import Facts, Reason, ReasonCode
from alliage.decide.recipes import Way
from alliage.decide.room import Room, Spot
from alliage.fleet.replicas import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A way at a spot, what it promises (None: not asked, or not known), and the rooms it would take (none: it does not fit)."""

    way: Way
    spot: Spot
    promise: Promise | None
    taken: tuple[Room, ...]

    @property
    def lacks(self) -> Reason | None:
        """What the spot lacks for it; None: it fits."""
        return None if self.taken else _short_of(self.way, self.spot)

    @property
    def label(self) -> str:
        """What people read of it."""
        rooms = self.taken or self.spot.rooms[: self.way.devices]
        return label(self.way.recipe, " + ".join(room.id for room in rooms))

    @property
    def users_per_device(self) -> float:
        """For how many requests at once a device keeps the objective; 0 where that is not known."""
        return self.promise.users / self.way.devices if self.promise else 0.0


def an_option(way: Way, spot: Spot, promise: Promise | None) -> Option:
    """The option, with the rooms that are free for it now."""
    return Option(way=way, spot=spot, promise=promise, taken=spot.free_for(way.recipe))


def label(recipe: Recipe, where: str) -> str:
    """`llama.cpp on cpu-x86 at laptop/cpu0, 4 x 4096 tokens`; without a place where it matters nowhere."""
    size = f"{recipe.concurrency} x {recipe.context_tokens} tokens"
    return f"{recipe.engine} on {recipe.chip}{f' at {where}' if where else ''}, {size}"


def _short_of(way: Way, spot: Spot) -> Reason:
    """What the spot, where it does not fit, lacks for one more replica."""
    recipe = way.recipe
    if spot.is_whole and any(room.holders for room in spot.rooms):
        return Reason(code=ReasonCode.DEVICES_TAKEN, facts=_taken_facts(way, spot))
    room = max(spot.rooms, key=lambda room: room.memory_bytes)
    if recipe.device_bytes > room.memory_bytes or spot.is_whole:
        room = min(spot.rooms, key=lambda room: room.memory_bytes) if spot.is_whole else room
        return Reason(code=ReasonCode.MEMORY_SHORT, facts=_memory_facts(way, room, recipe.device_bytes))
    return Reason(code=ReasonCode.CORES_SHORT, facts=_cores_facts(recipe, room))


def _taken_facts(way: Way, spot: Spot) -> Facts:
    return {
        "node": spot.node,
        "chip": spot.chip,
        "needed": way.devices,
        "free": sum(1 for room in spot.rooms if not room.holders),
        "total": len(spot.rooms),
        "holders": ", ".join(dict.fromkeys(name for room in spot.rooms for name in room.holders)),
    }


def _memory_facts(way: Way, room: Room, needed_bytes: int) -> Facts:
    return {
        "node": room.node,
        "device": room.id,
        "needed_bytes": needed_bytes,
        "free_bytes": room.memory_bytes,
        "total_bytes": room.device.memory_bytes,
        "weight_bytes": way.weight_bytes,
        "kv_bytes": way.kv_bytes,
    }


def _cores_facts(recipe: Recipe, room: Room) -> Facts:
    return {
        "node": room.node,
        "device": room.id,
        "needed": recipe.cores,
        "free": len(room.cores),
        "total": len(room.device.cores),
        "holders": ", ".join(room.holders),
    }
