"""Floor 0: sizes, counts and durations as people write them, turned into plain numbers and back.

Inside Alliage bytes are `int`, durations are `float` seconds; only edges use the texts.
"""

import re
from decimal import Decimal
from typing import Final

from alliage.errors import BadInput

KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3

_SECONDS_PER: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SECONDS_MAX: Final = 1e9
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)")
_COUNT: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(k|M|G|Ki|Mi)?")
_COUNT_UNITS: Final = {"": 1, "k": 10**3, "Ki": 2**10, "M": 10**6, "Mi": 2**20, "G": 10**9}


def parse_seconds(text: str) -> float:
    """Seconds in a duration such as `500ms`, `1.5s` or `2m`; raises BadInput without a unit, or above 1e9 s."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise BadInput(
            f"{text!r} is not a duration",
            remedy="write a number and a unit: 500ms, 1.5s, 2m or 1h",
        )
    seconds = float(match[1]) * _SECONDS_PER[match[2]]
    if seconds > SECONDS_MAX:
        shown = text if len(text) <= 40 else f"{text[:20]}...{text[-10:]}"
        raise BadInput(f"{shown!r} is too long a duration", remedy="write one of 30 years at most")
    return seconds


def format_seconds(seconds: float) -> str:
    """`0.5` -> `500 ms`; `2.0` -> `2 s`; `90.0` -> `1.5 min`."""
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def format_bytes(count: int) -> str:
    """Binary units, three digits: `98362432` -> `93.8 MiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"


def parse_count(text: str) -> int:
    """A whole number such as `600`, `1M` (a million), `1.5k` (1500) or `32Ki` (32,768); raises BadInput."""
    match = _COUNT.fullmatch(text.strip())
    count = Decimal(match[1]) * _COUNT_UNITS[match[2] or ""] if match else Decimal("0.5")
    if count != int(count):
        shown = text if len(text) <= 40 else f"{text[:20]}...{text[-10:]}"
        raise BadInput(f"{shown!r} is no whole number", remedy="write one such as 600, 20k, 1.5M or 32Ki (32,768)")
    return int(count)


def format_count(count: int) -> str:
    """Exact, as `parse_count` reads it: `1000000` -> `1M`, `1500` -> `1500`, `32768` -> `32768`."""
    for unit in ("G", "M", "k"):
        size = _COUNT_UNITS[unit]
        if count >= size and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)
