"""hl-smi of Intel Gaudi: a query answered as CSV, or the table."""

from typing import Final

from alliage.runtimes.detection.figures import free_of, number, pci_address, size_bytes, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import parse_alike, percent
from alliage.runtimes.detection.tools.csvs import records

QUERY: Final = (
    "-Q",
    "index,module_id,uuid,name,bus_id,memory.total,memory.used,utilization.aip,temperature.aip,driver_version",
    "-f",
    "csv",
)


def parse_hl_smi(text: str) -> tuple[SeenDevice, ...]:
    """The answer to `QUERY`, or the bare command's table. A module id is what HABANA_VISIBLE_MODULES takes."""
    devices = tuple(
        SeenDevice(
            name=word(row.get("name")),
            index=whole(row.get("index")),
            physical_index=whole(row.get("module_id")),
            uuid=word(row.get("uuid")),
            pci_address=pci_address(row.get("bus_id")),
            memory_total_bytes=(total := size_bytes(row.get("memory.total"))),
            memory_free_bytes=free_of(size_bytes(row.get("memory.used")), total),
            utilisation_percent=percent(row.get("utilization.aip")),
            temperature_c=number(row.get("temperature.aip")),
            driver=word(row.get("driver_version")),
        )
        for row in records(text, must="index")
        if whole(row.get("index")) is not None
    )
    return devices or parse_alike(text)
