"""Figures as tools print them, turned into numbers. Pure; what is not there, or says N/A, is None, never 0."""

import re
from typing import Final

_NOTHING: Final = frozenset({"", "-", "--", "/", "na", "n/a", "[n/a]", "none", "null", "unknown", "not supported"})
_UNITS: Final = {
    "b": 1, "kb": 1024, "kib": 1024, "mb": 1024**2, "mib": 1024**2, "gb": 1024**3, "gib": 1024**3,
    "tb": 1024**4, "tib": 1024**4,
}  # fmt: skip
"""Every tool here counts in powers of 1024, whatever it writes (`32768 MB` of an Ascend card is 32 GiB)."""
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_PCI: Final = re.compile(r"(?:([0-9a-f]{2,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.IGNORECASE)
_BYTES_MAX: Final = 1 << 50
_DIGITS_MAX: Final = 12


def word(text: str | None) -> str | None:
    """The text, stripped; None where it says that there is nothing to say (`N/A`, `[N/A]`, `-` and the like)."""
    stripped = " ".join((text or "").split())
    bare = stripped.lower()
    return None if bare in _NOTHING or bare.startswith(("[not supported", "[unknown", "[n/a")) else stripped


def number(text: str | None) -> float | None:
    """The first number of a text: `24C`, `39.0%`, `106 W`."""
    found = _NUMBER.search(word(text) or "")
    return float(found[0]) if found is not None and len(found[0]) <= _DIGITS_MAX else None


def whole(text: str | None) -> int | None:
    """A text that is a whole number, as indices are."""
    stripped = (text or "").strip().removeprefix("#")
    return int(stripped) if stripped.isascii() and stripped.isdigit() and len(stripped) <= 6 else None


def size_bytes(text: str | None, unit: str = "MiB") -> int | None:
    """`98304MiB`, `96 GB`, or a bare number of `unit`s. Nothing has no memory: 0 is not told."""
    found = _SIZE.fullmatch((word(text) or "").strip())
    if found is None or len(found[1]) > _DIGITS_MAX:
        return None
    size = int(float(found[1]) * _UNITS[(found[2] or unit).lower()])
    return size if 0 <= size < _BYTES_MAX else None


def used_and_total(text: str | None, unit: str = "MiB") -> tuple[int | None, int | None]:
    """`49MiB / 98304MiB`, `858/65536 MiB`, `2922 / 32768`, `0MiB(81920MiB)`: bytes used, bytes there are.

    A total of 0 is a column that this card does not use: nothing is told then.
    """
    parts = re.split(r"[/(]", (word(text) or "").rstrip(")"))
    if len(parts) != 2:
        return None, None
    total_unit = _SIZE.fullmatch(parts[1].strip())
    used = size_bytes(parts[0], total_unit[2] or unit if total_unit is not None else unit)
    total = size_bytes(parts[1], unit)
    return (used, total) if total else (None, None)


def free_of(used: int | None, total: int | None) -> int | None:
    """What is left; None when either is not told."""
    return None if used is None or total is None else max(0, total - used)


def used_and_limit(text: str | None) -> tuple[float | None, float | None]:
    """`74W / 400W`, `106 W/ 250 W`, `N/A / N/A`, `49 W`: watts used, watts allowed."""
    used, slash, limit = (word(text) or "").replace("N/A", "-").replace("n/a", "-").partition("/")
    return number(used), number(limit) if slash else None


def pci_address(text: str | None) -> str | None:
    """The PCI address in a text, as sysfs writes it: `00000000:7E:00.0` is `0000:7e:00.0`."""
    found = _PCI.search(text or "")
    if found is None:
        return None
    domain = (found[1] or "0").lstrip("0").lower().rjust(4, "0")
    return f"{domain}:{found[2]}:{found[3]}.{found[4]}".lower()
