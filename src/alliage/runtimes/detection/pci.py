"""What hangs on PCI, read from sysfs. The ids there cannot be faked by a tool: they decide whose a device is."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.catalog.records import Stack

PCI_ROOT: Final = Path("/sys/bus/pci/devices")
_BOARD_VIDEO: Final = frozenset({("19e5", "1711")})
"""Video of a server's management chip by a maker of accelerators (pci.ids: Hi171x, iBMC)."""
_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """One function. Ids are hex without `0x`; None where sysfs does not tell."""

    address: str
    vendor: str
    device: str
    pci_class: str
    driver: str | None
    """The kernel driver bound to it."""
    numa_node: int | None
    is_virtual: bool
    """A virtual function whose physical one is in this machine too."""
    memory_total_bytes: int | None
    memory_free_bytes: int | None
    """The two only by the amdgpu family of drivers (`mem_info_vram_*`; AMD and Hygon)."""

    @property
    def ids(self) -> str:
        """`vendor:device`, as lspci writes them; a chip may be known by these alone."""
        return f"{self.vendor}:{self.device}"


def read_pci(root: Path = PCI_ROOT) -> tuple[PciDevice, ...]:
    """Every function, by address; those that vanish while they are read are left out."""
    try:
        folders = sorted(root.iterdir())
    except OSError:
        return ()
    found = (_device(folder) for folder in folders)
    return tuple(device for device in found if device is not None)


def accelerators_of(stack: Stack, devices: Iterable[PciDevice]) -> tuple[PciDevice, ...]:
    """Those that are devices of this stack by the stack's own facts."""
    return tuple(device for device in devices if device.vendor in stack.pci_vendors and _is_device(stack, device))


def _is_device(stack: Stack, device: PciDevice) -> bool:
    """Intel's integrated graphics sit on bus 0 as device 2 (Intel's data sheets), where cards never are."""
    if (device.vendor, device.device) in _BOARD_VIDEO or (device.vendor == "8086" and ":00:02." in device.address):
        return False
    return device.device in stack.pci_devices if stack.pci_devices else device.pci_class.startswith(stack.pci_classes)


def _device(folder: Path) -> PciDevice | None:
    vendor, device, kind = (_hex(folder / name) for name in ("vendor", "device", "class"))
    if vendor is None or device is None or kind is None:
        return None
    total, used = _number(folder / "mem_info_vram_total"), _number(folder / "mem_info_vram_used")
    numa = _number(folder / "numa_node")
    return PciDevice(
        address=folder.name.lower(),
        vendor=vendor,
        device=device,
        pci_class=kind,
        driver=_link(folder / "driver"),
        numa_node=numa,
        is_virtual=(folder / "physfn").is_symlink() or (folder / "physfn").exists(),
        memory_total_bytes=total or None,
        memory_free_bytes=max(0, total - used) if total and used is not None else None,
    )


def _hex(path: Path) -> str | None:
    text = (_read(path) or "").lower().removeprefix("0x")
    return text if text and set(text) <= set("0123456789abcdef") else None


def _number(path: Path) -> int | None:
    text = _read(path) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _link(path: Path) -> str | None:
    try:
        return path.readlink().name
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX).decode(errors="replace").strip()
    except OSError:
        return None
