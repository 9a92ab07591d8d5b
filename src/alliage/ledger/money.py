"""Money as people write it, and micros (millionths): exact both ways, never through a float."""

import re
from typing import Final

from alliage.errors import BadInput

_MICROS: Final = 1_000_000
_MONEY: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?")


def money_text(micros: int) -> str:
    """`12.34`, `-0.000001`: every digit there is, at least two behind the point."""
    whole, rest = divmod(abs(micros), _MICROS)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits}"


def parse_money(text: str, what: str) -> int:
    """Micros of `12`, `12.34` or `-0.000001`; raises BadInput, which names `what`."""
    match = _MONEY.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"{what} {text!r} is no amount of money", remedy="write it like 12 or 12.345678")
    micros = int(match[2]) * _MICROS + int((match[3] or "").ljust(6, "0"))
    return -micros if match[1] else micros


def divided(whole: int, by: int) -> int:
    """`whole` over `by`, rounded half to even; `by` is above zero. Whole numbers all the way."""
    found, rest = divmod(whole, by)
    twice = 2 * rest
    return found + 1 if twice > by or (twice == by and found % 2 == 1) else found
