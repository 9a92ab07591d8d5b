"""Turns what was seen of one stack into devices of the fleet: which chip, how much memory, and facts for people. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Chip, Stack
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.nodes import Device
from alliage.runtimes.detection.pci import PciDevice
from alliage.runtimes.detection.problems import Problem, chip_unknown, memory_unknown
from alliage.runtimes.detection.seen import SeenDevice
from alliage.units import format_bytes

UNKNOWN: Final = "unknown-"
"""Begins the chip id of a device that no chip of the catalogue stands for."""
BY_PCI: Final = "PCI"
"""Who told of a device that neither a library nor a tool answered for."""
MOVING_FACTS: Final = frozenset({"temperature", "power", "utilisation"})
"""Facts that are never the same twice: nobody needs to hear of each change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one stack told of itself on a node. `teller` is who did (None: PCI alone), `functions` what PCI shows of it."""

    stack: Stack
    node: NodeId
    seen: tuple[SeenDevice, ...]
    functions: tuple[PciDevice, ...]
    teller: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The devices of one stack, what is free on them, and what is wrong with them."""

    devices: tuple[Device, ...]
    free_bytes: Mapping[DeviceId, int]
    problems: tuple[Problem, ...]


def describe(told: Told, chips: Iterable[Chip]) -> Described:
    """Devices `NODE/STACKn`: n is the tool's number where that is unique, else the physical one, else the place in line.

    `chips` are those of the stack.
    """
    known = tuple(chips)
    ordered = sorted(told.seen, key=lambda each: (each.index is None, each.index or 0, each.die or 0))
    whole = _with_addresses(ordered, told.functions)
    at = {function.address: function for function in told.functions}
    devices: list[Device] = []
    free: dict[DeviceId, int] = {}
    problems: list[Problem] = []
    for place, (number, each) in enumerate(zip(_numbers(whole), whole, strict=True)):
        function = at.get(each.pci_address or "")
        full = _filled(each, function)
        chip = chip_of(known, full.name, function.ids if function is not None else None)
        device = Device(
            id=DeviceId(f"{told.node}/{told.stack.id}{number}"),
            chip=chip.id if chip is not None else f"{UNKNOWN}{told.stack.maker}",
            cores=(),
            memory_bytes=full.memory_total_bytes or 0,
            facts=_facts(told, full, function, place),
        )
        devices.append(device)
        if full.memory_free_bytes is not None:
            free[device.id] = min(full.memory_free_bytes, device.memory_bytes)  # some drivers tell more than there is
        problems.extend(_problems(told, device, full, chip))
    return Described(devices=tuple(devices), free_bytes=free, problems=tuple(problems))


def chip_of(chips: Iterable[Chip], name: str | None, pci_ids: str | None) -> Chip | None:
    """The chip whose `detected_as` matches the name, else the PCI ids (`vendor:device`), whole and in any case."""
    for text in (name, pci_ids):
        for chip in chips if text is not None else ():
            if any(re.fullmatch(pattern, text or "", re.IGNORECASE) for pattern in chip.detected_as):
                return chip
    return None


def _numbers(seen: Iterable[SeenDevice]) -> list[int]:
    each = list(seen)
    for told in ([one.index for one in each], [one.physical_index for one in each]):
        counts = Counter(told)
        if None not in counts and all(count == 1 for count in counts.values()):
            return [number for number in told if number is not None]
    return list(range(len(each)))


def _with_addresses(seen: list[SeenDevice], functions: tuple[PciDevice, ...]) -> list[SeenDevice]:
    """Where a tool tells no addresses but as many devices as PCI shows: ROCm's tools number by PCI address."""
    physical = [function for function in functions if not function.is_virtual]
    if any(each.pci_address is not None for each in seen) or len(seen) != len(physical):
        return seen
    return [replace(each, pci_address=there.address) for each, there in zip(seen, physical, strict=True)]


def _filled(seen: SeenDevice, function: PciDevice | None) -> SeenDevice:
    """With what sysfs tells of the memory, where the tool did not."""
    if function is None or seen.memory_total_bytes is not None:
        return seen
    return replace(seen, memory_total_bytes=function.memory_total_bytes, memory_free_bytes=function.memory_free_bytes)


def _facts(told: Told, seen: SeenDevice, function: PciDevice | None, place: int) -> dict[str, str]:
    total = seen.memory_total_bytes
    facts = {
        "stack": told.stack.id,
        "model": seen.name,
        "memory": format_bytes(total) if total is not None else "unknown",
        "health": seen.health or ("ok" if told.teller is not None else "unknown"),
        "driver": seen.driver or (function.driver if function is not None else None),
        "sdk": seen.sdk,
        "pci": seen.pci_address,
        "pci ids": function.ids if function is not None else None,
        "uuid": seen.uuid,
        "links": seen.links,
        "numa node": _text(function.numa_node if function is not None else None),
        "index": _text(seen.index),
        "die": _text(seen.die),
        "physical index": _text(seen.physical_index),
        "visible index": str(place),
        "power limit": _figure(seen.power_limit_w, "W"),
        "temperature": _figure(seen.temperature_c, "C"),
        "power": _figure(seen.power_w, "W"),
        "utilisation": _figure(seen.utilisation_percent, "%"),
        "told by": told.teller or BY_PCI,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _problems(told: Told, device: Device, seen: SeenDevice, chip: Chip | None) -> Iterable[Problem]:
    """What is wrong with one device; where nobody could be asked, that is the problem, and it is told elsewhere."""
    if told.teller is None:
        return
    if chip is None:
        yield chip_unknown(told.stack, device.id, seen.name or device.facts.get("pci ids", "nothing"))
    if seen.memory_total_bytes is None:
        yield memory_unknown(told.stack, device.id)


def _figure(value: float | None, unit: str) -> str | None:
    """Four digits: libraries tell milliwatts, which mean nothing."""
    return f"{value:.4g} {unit}" if value is not None else None


def _text(value: int | None) -> str | None:
    return str(value) if value is not None else None
