"""bind: one planned replica -> a node, a device and its cores. Milliseconds apart. Pure.

Ties: most free cores, then most free memory, then the order of the view, which is by node id; a later version
scores fragmentation instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alliage.decide.plan import LEAVING, PlannedReplicas
from alliage.decide.room import Room, rooms
from alliage.fleet.ids import NodeId
from alliage.fleet.replicas import Binding, Recipe
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one replica goes."""

    node: NodeId
    bindings: tuple[Binding, ...]


def bind(planned: PlannedReplicas, view: FleetView) -> Placement | None:
    """The place for one more replica, on the node with the fewest of the same service; None when nothing is left."""
    crowd: dict[NodeId, int] = {}
    for replica in view.replicas_of(planned.service):
        if replica.phase not in LEAVING:
            crowd[replica.node] = crowd.get(replica.node, 0) + 1
    fitting = [room for room in rooms(view) if room.site == planned.site and _fits(planned, room, view)]
    if not fitting:
        return None
    return _place(_roomiest(fitting, crowd), planned.recipe)


def _fits(planned: PlannedReplicas, room: Room, view: FleetView) -> bool:
    """Of the kind that was planned for (chip, node size, engine), with enough left of it."""
    recipe, node = planned.recipe, view.node(room.node)
    kind = room.device.chip == recipe.chip and len(room.device.cores) == planned.device_cores
    engine = node is not None and any(found.engine == recipe.engine for found in node.engines)
    return kind and engine and recipe.cores <= len(room.cores) and recipe.memory_bytes <= room.memory_bytes


def _roomiest(fitting: Sequence[Room], crowd: dict[NodeId, int]) -> Room:
    return min(fitting, key=lambda room: (crowd.get(room.node, 0), -len(room.cores), -room.memory_bytes))


def _place(room: Room, recipe: Recipe) -> Placement:
    binding = Binding(device=room.id, cores=room.cores[: recipe.cores], memory_bytes=recipe.memory_bytes)
    return Placement(node=room.node, bindings=(binding,))
