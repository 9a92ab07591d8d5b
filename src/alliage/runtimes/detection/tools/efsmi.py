"""efsmi of Enflame: the total of the memory only, power and its limit without a slash.

Whether its `DUsed` is of the memory or of the cores is told nowhere that could be read: it is left alone.
"""

import re
from dataclasses import replace
from typing import Final

from alliage.runtimes.detection.boxed import Row, rows
from alliage.runtimes.detection.figures import number, size_bytes
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.alike import device_of, driver_in, sdk_in

_WATTS: Final = re.compile(r"(\d{1,5}(?:\.\d+)?) ?W\b")
_SIZE: Final = re.compile(r"\d{1,9} ?[MG]iB")
_SERIAL: Final = re.compile(r"[A-Z0-9]{8,}")


def parse_efsmi(text: str) -> tuple[SeenDevice, ...]:
    """The table of the bare command. ECC takes its part of the memory; what is told is what is left to use."""
    driver, sdk = driver_in(text), sdk_in(text)
    seen = (_device(row, driver, sdk) for row in rows(text))
    return tuple(device for device in seen if device is not None)


def _device(row: Row, driver: str | None, sdk: str | None) -> SeenDevice | None:
    device = device_of(row, driver=driver, sdk=sdk)
    if device is None:
        return None
    watts = [float(found) for found in _WATTS.findall(row.cell("pwr(usage/cap)") or "")]
    size = _SIZE.search(row.cell("mem") or "")
    serial = _SERIAL.search(row.cell("sn") or "")
    return replace(
        device,
        uuid=serial[0] if serial is not None else None,
        memory_total_bytes=size_bytes(size[0]) if size is not None else None,
        memory_free_bytes=None,
        temperature_c=number(row.value("temp")),
        power_w=watts[0] if watts else None,
        power_limit_w=watts[1] if len(watts) > 1 else None,
    )
