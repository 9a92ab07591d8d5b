"""Devices in words: those of one node name it once, and a row of them is its first and last. Words only."""

import re
from collections.abc import Sequence
from typing import Final

_ROW: Final = re.compile(r"[^\s,]+/[^\s,]+(?: \+ [^\s,]+/[^\s,]+)+")
"""Devices as decisions name them: `h20-1/nvidia0 + h20-1/nvidia1`."""


def shortened(text: str) -> str:
    """The text with each row of devices in it as `devices_words` has it."""
    return _ROW.sub(lambda found: devices_words(found[0]), text)


def devices_words(where: str) -> str:
    """`h20-1/nvidia0 + h20-1/nvidia1 + h20-1/nvidia2` -> `h20-1/nvidia0 to nvidia2`; cores stay as they are."""
    first, *others = where.split(" + ")
    node = first.partition("/")[0]
    names = [each.removeprefix(f"{node}/") for each in others]
    if not names:
        return where
    return f"{first} to {names[-1]}" if len(names) > 1 and _follow(first, names) else " + ".join([first, *names])


def _follow(first: str, names: Sequence[str]) -> bool:
    """Whether the numbers at the ends of these names follow each other."""
    stem = first.partition("/")[2].rstrip("0123456789")
    numbers = [
        each.partition("/")[2].removeprefix(stem) if "/" in each else each.removeprefix(stem)
        for each in (first, *names)
    ]
    if not all(number.isdecimal() for number in numbers):
        return False
    return [int(number) for number in numbers] == list(range(int(numbers[0]), int(numbers[0]) + len(numbers)))
