"""bind: one planned replica -> the devices of its node and their cores, and its part of each one's memory. Pure.

The plan names the node; here it is only checked that it still has the room and the engine.
"""

from dataclasses import dataclass

from alliage.decide.plan import PlannedReplicas
from alliage.decide.room import Room, Spot, rooms, spots
from alliage.fleet.ids import NodeId
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Binding, Recipe
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one replica goes."""

    node: NodeId
    bindings: tuple[Binding, ...]


def bind(planned: PlannedReplicas, view: FleetView) -> Placement | None:
    """The place for one more replica in the room that the view leaves; None where that is not there (any more)."""
    here = (spot for spot in spots(rooms(view)) if (spot.node, spot.chip) == (planned.node, planned.recipe.chip))
    node, spot = view.node(planned.node), next(here, None)
    return None if node is None or spot is None else bind_at(planned, node, spot)


def bind_at(planned: PlannedReplicas, node: Node, spot: Spot) -> Placement | None:
    """The same in what is left of the planned node's devices of that chip."""
    taken = spot.free_for(planned.recipe)
    if not taken or all(found.engine != planned.recipe.engine for found in node.engines):
        return None
    return Placement(node=node.id, bindings=_bindings(taken, planned.recipe))


def _bindings(taken: tuple[Room, ...], recipe: Recipe) -> tuple[Binding, ...]:
    """Each device with its part of the memory."""
    return tuple(
        Binding(device=room.id, cores=room.cores[: recipe.cores], memory_bytes=recipe.device_bytes) for room in taken
    )
