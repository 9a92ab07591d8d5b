"""neuron-ls of AWS: a table whose labels stand over several lines, or JSON. The instance type names the chip."""

import json
import re
from collections.abc import Iterator
from typing import Final

from alliage.runtimes.detection.boxed import LINE_CHARS_MAX, TEXT_CHARS_MAX
from alliage.runtimes.detection.figures import pci_address, size_bytes, whole, word
from alliage.runtimes.detection.seen import SeenDevice

_INSTANCE: Final = re.compile(r"instance-type: *([a-z0-9-]{2,30})\.[a-z0-9-]+")


def parse_neuron_ls(text: str) -> tuple[SeenDevice, ...]:
    """The table of the bare command, or of `--json-output`. The name is the instance's family (`trn2n`)."""
    start = text.find("[")
    is_json = start >= 0 and "|" not in text[:start]
    return tuple(_from_json(text[start:TEXT_CHARS_MAX]) if is_json else _from_table(text[:TEXT_CHARS_MAX]))


def _from_json(text: str) -> Iterator[SeenDevice]:
    try:
        told, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return
    for device in told if isinstance(told, list) else ():
        if isinstance(device, dict) and (index := whole(str(device.get("neuron_device")))) is not None:
            linked = device.get("connected_to")
            yield SeenDevice(
                index=index,
                pci_address=pci_address(str(device.get("bdf"))),
                memory_total_bytes=size_bytes(str(device.get("memory_size")), "B"),
                links=", ".join(str(other) for other in linked) if isinstance(linked, list) else None,
            )


def _from_table(text: str) -> Iterator[SeenDevice]:
    instance = _INSTANCE.search(text)
    labels: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line[:LINE_CHARS_MAX] else []
        if cells and whole(cells[0]) is None:
            same = len(labels) == len(cells)
            labels = [f"{old} {new}".strip().lower() for old, new in zip(labels, cells, strict=True)] if same else cells
        elif cells and len(cells) == len(labels):
            row = dict(zip((label.lower() for label in labels), cells, strict=True))
            yield SeenDevice(
                name=instance[1] if instance is not None else None,
                index=whole(row.get("neuron device")),
                pci_address=pci_address(row.get("pci bdf")),
                memory_total_bytes=size_bytes(row.get("neuron memory")),
                links=word(row.get("connected devices")),
            )
