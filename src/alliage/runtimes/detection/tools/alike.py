"""The table that most tools print: `nvidia-smi`'s, with another name in front and columns of their own."""

import re
from typing import Final

from alliage.runtimes.detection.boxed import TEXT_CHARS_MAX, Row, rows
from alliage.runtimes.detection.figures import (
    free_of,
    number,
    pci_address,
    size_bytes,
    used_and_limit,
    used_and_total,
    whole,
    word,
)
from alliage.runtimes.detection.seen import SeenDevice

NAME: Final = ("name", "gpu-name", "device name", "product name")
_NUMBER: Final = ("gpu", "ppu", "xpu", "aip", "hpu", "card", "dev", "id", "device")
_BUS: Final = ("bus-id", "bdf", "pcie", "pci bus-id", "pci bdf")
_MEMORY: Final = ("memory-usage", "mem-usage", "mem", "memory")
_BUSY: Final = ("gpu-util", "ppu-util", "xpu-util", "aip-util", "hpu-util", "util", "%gpu", "gfx-uti")
_HEAT: Final = ("temp", "temperature", "temp(c)")
_POWER: Final = ("pwr:usage/cap", "power-usage", "power", "pwr(usage/cap)")
_ERRORS: Final = ("volatile uncorr. ecc",)
_STATE: Final = ("gpu-state",)
_DRIVER: Final = re.compile(r"(?:Driver|amdgpu) ?(?:Ver(?:sion)?)?:? *v?(\d[\w.+-]{0,40})", re.IGNORECASE)
_SDK: Final = re.compile(
    r"\b(CUDA|HGGC|MACA|ROCm|XPU-RT|IX-ML|SUPA|MUSA) ?(?:Version)?: *(\d[\w.+-]{0,40})", re.IGNORECASE
)


def parse_alike(text: str) -> tuple[SeenDevice, ...]:
    """The devices of a table with a row or several lines a device; () where there is no such table."""
    driver, sdk = driver_in(text), sdk_in(text)
    seen = (device_of(row, driver=driver, sdk=sdk) for row in rows(text))
    return tuple(device for device in seen if device is not None)


def device_of(row: Row, *, driver: str | None, sdk: str | None) -> SeenDevice | None:
    """One row; None where it is another thing (a version line, a process)."""
    told = whole(row.value(*_NUMBER))
    index, name = told if told is not None else whole(row.first()), word(row.value(*NAME))
    if index is None or name is None:
        return None
    used, total = used_and_total(row.value(*_MEMORY))
    power, limit = used_and_limit(row.value(*_POWER))
    return SeenDevice(
        name=name,
        index=index,
        pci_address=pci_address(row.cell(*_BUS)),
        memory_total_bytes=total if total is not None else size_bytes(row.value(*_MEMORY)),
        memory_free_bytes=free_of(used, total),
        utilisation_percent=percent(row.value(*_BUSY)),
        temperature_c=number(row.value(*_HEAT)),
        power_w=power,
        power_limit_w=limit or None,
        health=_health(number(row.value(*_ERRORS)), word(row.value(*_STATE))),
        driver=driver,
        sdk=sdk,
    )


def percent(text: str | None) -> float | None:
    """A share of the time, 0 to 100."""
    value = number(text)
    return value if value is not None and 0 <= value <= 100 else None


def driver_in(text: str) -> str | None:
    """The driver's version from the head of what a tool printed."""
    found = _DRIVER.search(text, 0, TEXT_CHARS_MAX)
    return found[1] if found is not None else None


def sdk_in(text: str) -> str | None:
    """The vendor's software and its version: `CUDA 12.4`."""
    found = _SDK.search(text, 0, TEXT_CHARS_MAX)
    return f"{found[1]} {found[2]}" if found is not None else None


def _health(errors: float | None, state: str | None) -> str | None:
    if errors:
        return f"{errors:.0f} uncorrectable memory errors"
    return state if state is not None and state.lower() != "available" else None
