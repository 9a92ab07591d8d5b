"""sleeping: which replicas can sleep, what their sleep takes of a node's memory, and where one may wake. Pure.

A sleeper holds no device. Its weights are in its node's memory, at most `SHARE` of it, and where that memory is a device
of ours too (the node's CPU), never what is bound there.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from alliage.catalog.records import Catalog, ModelCard
from alliage.fleet.ids import NodeId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.view import FleetView
from alliage.footprint.memory import footprint_in

SHARE: Final = 0.5
"""Of a node's memory, for all that sleeps there: the rest is for what is awake and for the system's own cache. A choice."""


def can_sleep(recipe: Recipe, catalog: Catalog) -> bool:
    """Whether a source says that its engine sleeps on its chip; engines that share a device by cores do not."""
    engine, chip = catalog.engines.get(recipe.engine), catalog.chips.get(recipe.chip)
    if engine is None or chip is None or recipe.cores:
        return False
    facts = engine.on_stack(chip.stack)
    return facts is not None and facts.sleeps.value is True


def can_sleep_at(recipe: Recipe, node: Node | None, catalog: Catalog) -> bool:
    """Whether it can sleep, and its node's memory is known."""
    has_memory = node is not None and (bool(node.memory_bytes) or any(device.cores for device in node.devices))
    return has_memory and can_sleep(recipe, catalog)


def sleep_bytes(recipe: Recipe, model: ModelCard, catalog: Catalog) -> int | None:
    """What it takes of its node's memory while it sleeps: its weights. None where it cannot sleep."""
    if not can_sleep(recipe, catalog):
        return None
    found = footprint_in(model, catalog.engines[recipe.engine], recipe.precision)
    return None if found is None else found.weight_bytes


def held_by_sleep(replicas: Iterable[Replica]) -> Mapping[NodeId, int]:
    """Bytes of each node's memory that sleep takes there, or is about to."""
    held: dict[NodeId, int] = {}
    for replica in replicas:
        if replica.host_bytes:
            held[replica.node] = held.get(replica.node, 0) + replica.host_bytes
    return held


def host_room(node: Node, view: FleetView) -> int:
    """Bytes of a node's memory that more sleepers may take; 0 where its memory is not known."""
    held = held_by_sleep(view.replicas).get(node.id, 0)
    own = next((device for device in node.devices if device.cores), None)
    if own is None:
        return max(0, int(SHARE * node.memory_bytes) - held)
    bound = sum(each.memory_bytes for one in view.replicas for each in one.bindings if each.device == own.id)
    left = own.memory_bytes - bound - held
    if (free := view.free_bytes.get(own.id)) is not None:
        left = min(left, free - _coming(node, view))
    return max(0, min(int(SHARE * own.memory_bytes) - held, left))


def _coming(node: Node, view: FleetView) -> int:
    """What was promised to those that are not asleep yet, and is free until then."""
    falling = (ReplicaPhase.RESTING, ReplicaPhase.DOZING)
    return sum(each.host_bytes for each in view.replicas if each.node == node.id and each.phase in falling)
