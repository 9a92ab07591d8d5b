"""xpu-smi of Intel (Kunlun's program of the same name prints a table): `xpu-smi discovery --dump`, as CSV by header."""

from typing import Final

from alliage.runtimes.detection.figures import pci_address, size_bytes, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.csvs import records

QUERY: Final = ("discovery", "--dump", "-1")
"""All properties; `-1` as Intel's reference of the command has it."""


def parse_intel_xpu_smi(text: str) -> tuple[SeenDevice, ...]:
    """One line a device; sizes come with their unit."""
    return tuple(
        SeenDevice(
            name=word(row.get("device name")),
            index=whole(row.get("device id")),
            uuid=word(row.get("soc uuid") or row.get("uuid")),
            pci_address=pci_address(row.get("pci bdf address")),
            memory_total_bytes=size_bytes(row.get("memory physical size")),
            memory_free_bytes=size_bytes(row.get("memory free size")),
            driver=word(row.get("driver version")),
        )
        for row in records(text, must="device name")
        if whole(row.get("device id")) is not None
    )
