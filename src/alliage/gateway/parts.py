"""Work on thousands of things in parts, so that nobody's answer waits for all of it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

_PARTS: Final = 8
"""No more of them, because under load each may wait for a whole round of the loop."""
_PART_MIN: Final = 64
_Item = TypeVar("_Item")


async def in_parts(items: Sequence[_Item], act: Callable[[_Item], None]) -> None:
    """Call `act` for each, and let the loop do its other work now and then."""
    size = max(_PART_MIN, -(-len(items) // _PARTS))
    for first in range(0, len(items), size):
        if first:
            await asyncio.sleep(0)
        for item in items[first : first + size]:
            act(item)
