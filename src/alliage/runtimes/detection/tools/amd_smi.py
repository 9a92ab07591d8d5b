"""amd-smi: two lines a device, the address before the name in the first, the number in the second."""

from alliage.runtimes.detection.boxed import Row, rows
from alliage.runtimes.detection.figures import free_of, number, pci_address, used_and_limit, used_and_total, whole, word
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import driver_in, percent, sdk_in


def parse_amd_smi(text: str) -> tuple[SeenDevice, ...]:
    """The table of the bare command (26 and later)."""
    driver, sdk = driver_in(text), sdk_in(text)
    seen = (_device(row, driver, sdk) for row in rows(text))
    return tuple(device for device in seen if device is not None)


def _device(row: Row, driver: str | None, sdk: str | None) -> SeenDevice | None:
    address = pci_address(row.cell("bdf"))
    if address is None:
        return None
    used, total = used_and_total(row.value("mem-usage"))
    power, limit = used_and_limit(row.value("power-usage"))
    return SeenDevice(
        name=_name(row.cell("gpu-name")),
        index=whole(row.value("gpu")),
        pci_address=address,
        memory_total_bytes=total,
        memory_free_bytes=free_of(used, total),
        utilisation_percent=percent(row.value("gfx-uti")),
        temperature_c=number(row.value("temp")),
        power_w=power,
        power_limit_w=limit or None,
        health=_health(number(row.value("uec"))),
        driver=driver,
        sdk=sdk,
    )


def _name(cell: str | None) -> str | None:
    """What follows the address; a long name has its beginning cut off, marked by dots."""
    return word((cell or "").strip().partition(" ")[2].strip().lstrip("."))


def _health(errors: float | None) -> str | None:
    return f"{errors:.0f} uncorrectable memory errors" if errors else None
