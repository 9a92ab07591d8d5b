"""The tempo of each replica for the gateways: reckoned once, and again when something that it stands on changes. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.places import place_of_node
from alliage.decide.tempo import tempo_at
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.measured import Measured, measured_on
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.routing import Tempo
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a tempo stands on beside the recipe: the devices of its chip at the node, and what was measured that counts there."""

    model: ModelCard
    devices: tuple[Device, ...]
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """A tempo with its basis; None where nothing is known of the speed."""

    basis: Basis
    tempo: Tempo | None


Kind = tuple[ServiceName, NodeId, Recipe]
"""Replicas of one kind have one tempo."""
Tempos = Mapping[Kind, Reckoned]


def kind_of(replica: Replica) -> Kind:
    """The replica's."""
    return (replica.service, replica.node, replica.recipe)


def tempos_after(old: Tempos, view: FleetView, catalog: Catalog) -> dict[Kind, Reckoned]:
    """Of all kinds of replicas in the view, taken from `old` where nothing has changed."""
    models = {service.name: service.model for service in view.services}
    nodes = {node.id: node for node in view.nodes}
    measured: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for each in view.measured:
        measured[each.model, each.chip].append(each)
    devices: dict[tuple[NodeId, str], tuple[Device, ...]] = {}
    found: dict[Kind, Reckoned] = {}
    for kind in dict.fromkeys(map(kind_of, view.replicas)):
        service, node_id, recipe = kind
        node, model = nodes.get(node_id), models.get(service)
        if node is None or model is None:
            continue
        place = (node_id, recipe.chip)
        if place not in devices:
            devices[place] = tuple(device for device in node.devices if device.chip == recipe.chip)
        seen = measured_on(
            measured.get((recipe.model, recipe.chip), ()), node_id, is_rehearsed=node.is_rehearsed, odd=view.odd
        )
        basis = Basis(model=model, devices=devices[place], measured=seen)
        known = old.get(kind)
        if known is None or known.basis != basis:
            known = Reckoned(basis=basis, tempo=_tempo(recipe, node, basis, catalog))
        found[kind] = known
    return found


def _tempo(recipe: Recipe, node: Node, basis: Basis, catalog: Catalog) -> Tempo | None:
    chip = catalog.chips.get(recipe.chip)
    if chip is None or not basis.devices:
        return None
    return tempo_at(basis.model, recipe, place_of_node(chip, node, basis.devices), basis.measured)
