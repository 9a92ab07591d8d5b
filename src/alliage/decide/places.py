"""Places: where a model might run, as far as recipes care: a chip, how many devices of it, how large, which engines."""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog, Chip, Sharing
from alliage.fleet.ids import NodeId
from alliage.fleet.nodes import Device, Node
from alliage.speed.figures import ChipFigures, chip_figures, node_figures

DEGREES: Final = (1, 2, 4, 8, 16)
"""Devices that share each step, where no source limits an engine to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The devices of one chip at one node; or, with no `node`, as many as engines use of the chip its data sheet describes.

    `device_bytes` is the memory of one device, None where no source states it; `devices` the most that one replica may
    have; `cores` those of the device where it is shared by cores, 0 where devices are given whole; `engines` the ids
    of those that are there, None for any.
    """

    chip: Chip
    figures: ChipFigures
    device_bytes: float | None
    devices: int
    cores: int
    engines: frozenset[str] | None
    node: NodeId | None = None

    @property
    def where(self) -> str:
        """`huawei-910b`, or `huawei-910b at rack-1`."""
        return self.chip.id if self.node is None else f"{self.chip.id} at {self.node}"


def place_of_chip(chip: Chip) -> Place:
    """The chip as its data sheet describes it."""
    figures = chip_figures(chip)
    return Place(
        chip=chip,
        figures=figures,
        device_bytes=figures.memory_bytes,
        devices=DEGREES[-1],
        cores=0,
        engines=None,
    )


def place_of_node(chip: Chip, node: Node, devices: tuple[Device, ...]) -> Place:
    """The devices (at least one) of one chip that a node has; their memory is the least that one of them reports."""
    device = devices[0]
    return Place(
        chip=chip,
        figures=node_figures(chip, device.figures, cores=len(device.cores)),
        device_bytes=min(each.memory_bytes for each in devices),
        devices=1 if chip.sharing is Sharing.CORES else len(devices),
        cores=len(device.cores) if chip.sharing is Sharing.CORES else 0,
        engines=frozenset(found.engine for found in node.engines),
        node=node.id,
    )


def places_of_node(node: Node, catalog: Catalog) -> tuple[Place, ...]:
    """A place for each chip of the catalogue that the node has."""
    places = []
    for chip_id in dict.fromkeys(device.chip for device in node.devices):
        chip = catalog.chips.get(chip_id)
        if chip is not None:
            places.append(place_of_node(chip, node, tuple(each for each in node.devices if each.chip == chip_id)))
    return tuple(places)
