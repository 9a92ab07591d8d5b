"""bind: one planned replica -> a node, its devices and their cores. Milliseconds apart. Pure.

Nodes with the fewest replicas of the same service come first; then, of devices given whole, the one with the fewest free,
of shared ones the one with the most free cores and memory; then the order of the view, which is by node id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alliage.decide.plan import PlannedReplicas
from alliage.decide.room import Room, Spot, rooms, spots
from alliage.fleet.ids import NodeId
from alliage.fleet.lifecycles import OUT
from alliage.fleet.replicas import Binding, Recipe
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one replica goes."""

    node: NodeId
    bindings: tuple[Binding, ...]


def bind(planned: PlannedReplicas, view: FleetView, left: Iterable[Spot] | None = None) -> Placement | None:
    """The place for one more replica, on the node with the fewest of the same service; None when nothing is left.

    `left` is the room there is; by default that of the view.
    """
    crowd: dict[NodeId, int] = {}
    for replica in view.replicas_of(planned.service):
        if replica.phase not in OUT:
            crowd[replica.node] = crowd.get(replica.node, 0) + 1
    left = spots(rooms(view)) if left is None else left
    fitting = [spot for spot in left if spot.site == planned.site and _fits(planned, spot, view)]
    if not fitting:
        return None
    spot = _best(fitting, crowd)
    return Placement(node=spot.node, bindings=_bindings(spot.free_for(planned.recipe), planned.recipe))


def _fits(planned: PlannedReplicas, spot: Spot, view: FleetView) -> bool:
    """Of the kind that was planned for (chip, node size, engine), with enough left of it."""
    recipe = planned.recipe
    if spot.chip != recipe.chip or (planned.nodes is not None and spot.node not in planned.nodes):
        return False
    if len(spot.rooms[0].device.cores) != planned.device_cores or not spot.free_for(recipe):
        return False
    node = view.node(spot.node)
    return node is not None and any(found.engine == recipe.engine for found in node.engines)


def _best(fitting: Sequence[Spot], crowd: dict[NodeId, int]) -> Spot:
    return min(fitting, key=lambda spot: (crowd.get(spot.node, 0), *_room_left(spot)))


def _room_left(spot: Spot) -> tuple[int, int, int]:
    """Of devices given whole the fewest free ones, so that larger gangs find theirs; of shared ones the most cores and memory."""
    free = sum(1 for room in spot.rooms if not room.holders) if spot.is_whole else 0
    return free, -spot.free_cores, -spot.free_bytes


def _bindings(taken: tuple[Room, ...], recipe: Recipe) -> tuple[Binding, ...]:
    """Each device with its part of the memory."""
    return tuple(
        Binding(device=room.id, cores=room.cores[: recipe.cores], memory_bytes=recipe.device_bytes) for room in taken
    )
