"""Kinds: alike nodes with one chip, as the plan's programme counts them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from alliage.catalog.records import Catalog, Sharing
from alliage.decide.places import Place, place_of_node
from alliage.decide.recipes import CPU_SHARE
from alliage.fleet.ids import NodeId
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.measured import RecipeKey
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Nodes that are alike in all that a plan asks of one chip there. `place` is one of them, whichever."""

    name: str
    """`8 nvidia-h20 at hohhot-1`; with a number behind it where others are called the same."""
    site: str
    place: Place
    units: int
    """What a node has to give: devices, or for a chip that is shared by cores the parts that replicas take of it."""
    nodes: tuple[NodeId, ...]
    failed: frozenset[RecipeKey]
    """Recipes that do not run there."""
    is_rehearsed: bool

    @property
    def chip(self) -> str:
        """The chip's id."""
        return self.place.chip.id

    def units_of(self, recipe: Recipe) -> int:
        """What one replica takes of a node."""
        return 1 if self.place.cores else recipe.devices


def kinds(view: FleetView, catalog: Catalog) -> tuple[Kind, ...]:
    """All ready nodes that take new work, by kind; in the order of their first nodes."""
    failed = _failed(view)
    alike: dict[object, list[tuple[Node, Place]]] = {}
    for node in view.nodes:
        if node.phase is not NodePhase.READY:
            continue
        for place in _places(node, catalog):
            # the node's own name is no part of what it is, unless its figures are its own
            own = None if not place.cores else tuple(sorted(place.figures.flops.items()))
            key = (node.site, place.chip.id, place.devices, place.cores, place.device_bytes, place.engines, own,
                   node.is_rehearsed, failed.get(node.id, frozenset()), node.id if node.id in view.odd else None)  # fmt: skip
            alike.setdefault(key, []).append((node, place))
    names: dict[str, int] = {}
    return tuple(_kind(group, failed, names) for group in alike.values())


def _kind(
    group: list[tuple[Node, Place]], failed: Mapping[NodeId, frozenset[RecipeKey]], names: dict[str, int]
) -> Kind:
    node, place = group[0]
    units = place.cores // max(1, place.cores // CPU_SHARE) if place.cores else place.devices
    name = f"{place.devices} {place.chip.id} at {node.site}"
    names[name] = names.get(name, 0) + 1
    return Kind(
        name=name if names[name] == 1 else f"{name} ({names[name]})",
        site=node.site,
        place=place,
        units=units,
        nodes=tuple(each.id for each, _ in group),
        failed=failed.get(node.id, frozenset()),
        is_rehearsed=node.is_rehearsed,
    )


def _places(node: Node, catalog: Catalog) -> list[Place]:
    """One for each chip that the node can give devices of."""
    found: list[Place] = []
    by_chip: dict[str, list[Device]] = {}
    for device in open_devices(node):
        by_chip.setdefault(device.chip, []).append(device)
    for chip_id, devices in by_chip.items():
        chip = catalog.chips.get(chip_id)
        if chip is not None and (chip.sharing is not Sharing.CORES or devices[0].cores):
            found.append(place_of_node(chip, node, tuple(devices)))
    return found


def open_devices(node: Node) -> tuple[Device, ...]:
    """The devices on which new work may be placed."""
    return tuple(device for device in node.devices if node.takes(device.id))


def is_open(node: Node | None, replica: Replica) -> bool:
    """Whether a replica stands where the plan decides: on a ready node, on devices that new work may be placed on."""
    return (
        node is not None
        and node.phase is NodePhase.READY
        and all(node.takes(binding.device) for binding in replica.bindings)
    )


def _failed(view: FleetView) -> dict[NodeId, frozenset[RecipeKey]]:
    found: dict[NodeId, set[RecipeKey]] = {}
    for each in view.failed:
        found.setdefault(each.node, set()).add(each.recipe)
    return {node: frozenset(recipes) for node, recipes in found.items()}
