"""Examines this machine as its agent would see it, without a cloud that runs: what is here, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alliage.app.agent import node_name
from alliage.app.config import read_settings
from alliage.app.home import Home
from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog
from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Node
from alliage.runtimes.detect import detect_node, free_bytes
from alliage.runtimes.detection.accelerators import DEV_ROOT, detect_accelerators
from alliage.runtimes.detection.pci import PCI_ROOT
from alliage.runtimes.detection.problems import Problem, card_without_engine, cpu_unknown, engine_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The node with all its devices, the memory free on those that tell it, and what is missing (nothing: all is fine)."""

    node: Node
    free_bytes: Mapping[DeviceId, int]
    problems: tuple[Problem, ...]


def examine(home: Home, *, pci_root: Path = PCI_ROOT, dev_root: Path = DEV_ROOT) -> Examination:
    """Look once. Blocks for as long as the vendors' tools take; raises BadInput for wrong facts or settings.

    The folders are where sysfs and the device files are.
    """
    catalog = load_catalog(*home.catalogs)
    settings = read_settings(home)
    name = node_name(home)
    bare = detect_node(
        name,
        "local",
        catalog.chips.values(),
        llama_server=settings.agent.llama_server,
        vllm_python=settings.agent.vllm_python,
    )
    found = detect_accelerators(catalog.chips, catalog.stacks, node=name, pci_root=pci_root, dev_root=dev_root)
    missing = ((cpu_unknown(),) if not bare.devices else ()) + ((engine_missing(),) if not bare.engines else ())
    node = replace(bare, devices=(*bare.devices, *found.devices))
    return Examination(
        node=node,
        free_bytes={
            **{device.id: min(free_bytes(), device.memory_bytes) for device in bare.devices},
            **found.free_bytes,
        },
        problems=(*missing, *found.problems, *unserved(node, catalog)),
    )


def unserved(node: Node, catalog: Catalog) -> tuple[Problem, ...]:
    """A problem for each stack whose cards are here, and known, while no engine of this node runs on them."""
    here = [catalog.engines[found.engine] for found in node.engines if found.engine in catalog.engines]
    cards = [(catalog.chips[device.chip].stack, device.id) for device in node.devices if device.chip in catalog.chips]
    idle = [
        stack for stack in dict.fromkeys(stack for stack, _ in cards) if not any(each.on_stack(stack) for each in here)
    ]
    return tuple(
        card_without_engine(
            catalog.stacks[stack],
            tuple(device for each, device in cards if each == stack),
            tuple(engine.id for engine in catalog.engines.values() if engine.on_stack(stack) is not None),
        )
        for stack in idle
        if stack != "cpu"
    )
