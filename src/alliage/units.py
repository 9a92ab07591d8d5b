"""Floor 0: sizes and durations as people write them, turned into plain numbers and back.

Inside Alliage bytes are `int`, durations are `float` seconds; only edges use the texts.
"""

import re
from typing import Final

from alliage.errors import BadInput

KIB: Final = 1024
MIB: Final = 1024**2
GIB: Final = 1024**3

_SECONDS_PER: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SECONDS_MAX: Final = 1e9
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)")


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
