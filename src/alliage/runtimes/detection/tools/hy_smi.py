"""hy-smi of Hygon and rocm-smi, its ancestor: JSON with labels as keys, or a table without names and sizes."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from alliage.runtimes.detection.boxed import LINE_CHARS_MAX, TEXT_CHARS_MAX
from alliage.runtimes.detection.figures import free_of, number, pci_address, size_bytes, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import percent

QUERY: Final = ("-a", "--json")
_COLUMNS: Final = ("hcu", "dcu", "gpu", "device")


def parse_hy_smi(text: str) -> tuple[SeenDevice, ...]:
    """Either form. In the table there is no name and no size: the caller looks elsewhere for them."""
    start = text.find("{")
    return tuple(_from_json(text[start:TEXT_CHARS_MAX])) if start >= 0 else tuple(_from_table(text))


def _from_json(text: str) -> Iterator[SeenDevice]:
    """`{"card0": {"Card Series": ..., "VRAM Total Memory (B)": ...}}`: keys by what they begin with, any case."""
    try:
        told, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return
    for card, fields in told.items() if isinstance(told, dict) else ():
        index = whole(str(card).lower().removeprefix("card"))
        if index is not None and isinstance(fields, dict):
            labels = {str(key).lower(): str(value) for key, value in fields.items()}
            yield _card(index, labels, _driver(told.get("system")))


def _card(index: int, told: Mapping[str, str], driver: str | None) -> SeenDevice:
    total = size_bytes(_of(told, "vram total memory"), "B")
    return SeenDevice(
        name=word(_of(told, "card series", "card model", "product name")),
        index=index,
        uuid=word(_of(told, "unique id", "serial number")),
        pci_address=pci_address(_of(told, "pci bus")),
        memory_total_bytes=total,
        memory_free_bytes=free_of(size_bytes(_of(told, "vram total used memory"), "B"), total),
        utilisation_percent=percent(_of(told, "hcu use", "dcu use", "gpu use")),
        temperature_c=number(_of(told, "temperature (sensor junction)", "temperature (sensor edge)", "temperature")),
        power_w=number(_of(told, "average graphics package power", "current socket graphics package power")),
        power_limit_w=number(_of(told, "max graphics package power")),
        driver=driver,
    )


def _of(told: Mapping[str, str], *beginnings: str) -> str | None:
    found = (value for start in beginnings for key, value in told.items() if key.startswith(start))
    return next(found, None)


def _driver(system: object) -> str | None:
    if not isinstance(system, dict):
        return None
    labels = {str(key).lower(): str(value) for key, value in system.items()}
    return word(_of(labels, "driver version"))


def _from_table(text: str) -> Iterator[SeenDevice]:
    header: list[str] = []
    for line in text[:TEXT_CHARS_MAX].splitlines():
        words = line.lower().split() if len(line) <= LINE_CHARS_MAX else []
        if words and words[0] in _COLUMNS:
            header = words
        elif header and len(words) == len(header) and whole(words[0]) is not None:
            row = dict(zip(header, words, strict=True))
            yield SeenDevice(
                index=whole(words[0]),
                utilisation_percent=percent(row.get("hcu%") or row.get("dcu%") or row.get("gpu%")),
                temperature_c=number(row.get("temp")),
                power_w=number(row.get("avgpwr")),
                power_limit_w=number(row.get("pwrcap")),
            )
