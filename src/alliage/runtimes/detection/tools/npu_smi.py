"""npu-smi of Huawei Ascend: two lines a chip; a board (`NPU`) may hold two chips, and board numbers have gaps."""

import re
from typing import Final

from alliage.runtimes.detection.boxed import TEXT_CHARS_MAX, Row, rows
from alliage.runtimes.detection.figures import free_of, number, pci_address, used_and_total, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import percent

_VERSION: Final = re.compile(r"\bVersion: *(\d[\w.]{0,40})")


def parse_npu_smi(text: str) -> tuple[SeenDevice, ...]:
    """`npu-smi info`. The version in its head is the driver package's."""
    found = _VERSION.search(text, 0, TEXT_CHARS_MAX)
    seen = (_device(row, found[1] if found is not None else None) for row in rows(text))
    return tuple(device for device in seen if device is not None)


def _device(row: Row, driver: str | None) -> SeenDevice | None:
    """`HBM-Usage` is the card's memory where it has such a column; else `Memory-Usage` (310P)."""
    board, name = whole(row.value("npu")), word(row.value("name"))
    if board is None or name is None:
        return None
    used, total = used_and_total(row.value("hbm-usage(mb)"))
    if total is None:
        used, total = used_and_total(row.value("memory-usage(mb)"))
    return SeenDevice(
        name=name,
        index=board,
        die=whole(row.value("chip")),
        physical_index=whole(row.value("phy-id", "device")),
        pci_address=pci_address(row.cell("bus-id")),
        memory_total_bytes=total,
        memory_free_bytes=free_of(used, total),
        utilisation_percent=percent(row.value("aicore(%)")),
        temperature_c=number(row.value("temp(c)")),
        power_w=number(row.value("power(w)")),
        health=_health(word(row.value("health"))),
        driver=driver,
    )


def _health(told: str | None) -> str | None:
    return None if told is None or told.upper() == "OK" else told
