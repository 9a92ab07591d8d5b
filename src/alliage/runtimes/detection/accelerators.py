"""detect_accelerators: PCI says which stacks are here, each is asked for its devices, the catalogue says what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alliage.catalog.records import Chip, Stack
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.nodes import Device
from alliage.runtimes.detection.asking import ask
from alliage.runtimes.detection.described import Told, describe
from alliage.runtimes.detection.files import DeviceFile, device_files, numbered_pattern
from alliage.runtimes.detection.libraries import installed_libraries
from alliage.runtimes.detection.pci import PCI_ROOT, PciDevice, accelerators_of, read_pci
from alliage.runtimes.detection.problems import (
    Problem,
    device_files_missing,
    device_silent,
    driver_missing,
    not_permitted,
)
from alliage.runtimes.detection.running import Run, run_tool
from alliage.runtimes.detection.seen import SeenDevice

DEV_ROOT: Final = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What a look found. A stack that is here but told nothing has its devices as PCI shows them."""

    devices: tuple[Device, ...] = ()
    problems: tuple[Problem, ...] = ()
    free_bytes: Mapping[DeviceId, int] = field(default_factory=dict)
    """Memory free now, of the devices that told it."""
    unanswered: tuple[str, ...] = ()
    """Stacks that are here and told nothing this time."""


def detect_accelerators(
    chips: Mapping[str, Chip],
    stacks: Mapping[str, Stack],
    *,
    node: NodeId,
    pci_root: Path = PCI_ROOT,
    dev_root: Path = DEV_ROOT,
    run: Run = run_tool,
    libraries: frozenset[str] | None = None,
) -> Detected:
    """The accelerators of this machine. Blocks for as long as the tools take; raises nothing for what they do.

    `libraries` are the optional ones that may be asked, by default those that are installed. Tools are run only of
    stacks whose PCI vendor is here, or, where a stack's vendor is not known, whose device files are.
    """
    functions = read_pci(pci_root)
    asked = installed_libraries() if libraries is None else libraries
    parts = [
        _detect_stack(
            _Here(stack=stack, functions=accelerators_of(stack, functions), files=device_files(stack, dev_root)),
            tuple(chip for chip in chips.values() if chip.stack == stack.id),
            node,
            run,
            asked,
        )
        for stack in stacks.values()
    ]
    return Detected(
        devices=tuple(device for part in parts for device in part.devices),
        problems=tuple(problem for part in parts for problem in part.problems),
        free_bytes={device: free for part in parts for device, free in part.free_bytes.items()},
        unanswered=tuple(stack for part in parts for stack in part.unanswered),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """What the kernel shows of one stack."""

    stack: Stack
    functions: tuple[PciDevice, ...]
    files: tuple[DeviceFile, ...]


def _detect_stack(here: _Here, chips: tuple[Chip, ...], node: NodeId, run: Run, libraries: frozenset[str]) -> Detected:
    if not (here.functions if here.stack.pci_vendors else here.files):
        return Detected()
    answer = ask(here.stack, here.functions[0].vendor if here.functions else None, run, libraries)
    told = Told(
        stack=here.stack,
        node=node,
        seen=answer.devices or _bare(here.functions),
        functions=here.functions,
        teller=answer.teller,
    )
    described = describe(told, chips)
    return Detected(
        devices=described.devices,
        free_bytes=described.free_bytes,
        problems=(*_faults(here), *answer.problems, *_silent(here, answer.devices), *described.problems),
        unanswered=() if answer.devices else (here.stack.id,),
    )


def _bare(functions: tuple[PciDevice, ...]) -> tuple[SeenDevice, ...]:
    """The devices as PCI alone shows them; virtual functions only when nothing else is there."""
    shown = tuple(function for function in functions if not function.is_virtual) or functions
    return tuple(SeenDevice(index=index, pci_address=function.address) for index, function in enumerate(shown))


def _faults(here: _Here) -> tuple[Problem, ...]:
    """What PCI and the device files tell by themselves."""
    pattern = numbered_pattern(here.stack)
    driverless = tuple(each.address for each in here.functions if each.driver is None)
    if driverless:
        return (driver_missing(here.stack, driverless),)
    if pattern is not None and not here.files:
        return (device_files_missing(here.stack, pattern.replace("{N}", "0")),)
    return tuple(not_permitted(here.stack, file.path, file.group) for file in here.files if not file.usable)


def _silent(here: _Here, seen: tuple[SeenDevice, ...]) -> tuple[Problem, ...]:
    """Functions that a teller of addresses left out.

    None is missing where all device files are accounted for (a container has only some), nor where as many devices
    were told as PCI shows (boards with several dies under one address).
    """
    told = {device.pci_address for device in seen}
    if not told or None in told or len(seen) >= len(here.functions) or (here.files and len(here.files) <= len(seen)):
        return ()
    left = (each for each in here.functions if each.address not in told and not each.is_virtual and each.driver)
    return tuple(device_silent(here.stack, each.address) for each in left)
