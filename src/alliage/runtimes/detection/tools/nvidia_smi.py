"""nvidia-smi. Others ship a program of this name: only asked where PCI shows a card of Nvidia."""

from typing import Final

from alliage.runtimes.detection.figures import number, pci_address, size_bytes, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import parse_alike, percent
from alliage.runtimes.detection.tools.csvs import records

_FIELDS: Final = (
    "index", "uuid", "name", "pci.bus_id", "memory.total", "memory.free", "utilization.gpu", "temperature.gpu",
    "power.draw", "power.limit", "driver_version", "ecc.errors.uncorrected.volatile.total",
)  # fmt: skip
QUERY: Final = (f"--query-gpu={','.join(_FIELDS)}", "--format=csv,nounits")
"""Fields as `nvidia-smi --help-query-gpu` lists them; memory in MiB, power in W."""


def parse_nvidia_smi(text: str) -> tuple[SeenDevice, ...]:
    """The answer to `QUERY`, or the table that the bare command prints."""
    devices = tuple(
        SeenDevice(
            name=word(row.get("name")),
            index=whole(row.get("index")),
            uuid=word(row.get("uuid")),
            pci_address=pci_address(row.get("pci.bus_id")),
            memory_total_bytes=size_bytes(row.get("memory.total")),
            memory_free_bytes=size_bytes(row.get("memory.free")),
            utilisation_percent=percent(row.get("utilization.gpu")),
            temperature_c=number(row.get("temperature.gpu")),
            power_w=number(row.get("power.draw")),
            power_limit_w=number(row.get("power.limit")),
            health=_health(row.get("ecc.errors.uncorrected.volatile.total")),
            driver=word(row.get("driver_version")),
        )
        for row in records(text, must="index")
        if whole(row.get("index")) is not None
    )
    return devices or parse_alike(text)


def _health(errors: str | None) -> str | None:
    count = number(errors)
    return f"{count:.0f} uncorrectable memory errors" if count else None
