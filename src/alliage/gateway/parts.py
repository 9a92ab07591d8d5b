"""The process's own work, done so that no answer waits for all of it: on thousands of things in parts, and in lulls what can wait."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from alliage.gateway.flights import Flights

_PARTS: Final = 8
"""No more of them, because under load each may wait for a whole round of the loop."""
_PART_MIN: Final = 64
_LULL_S: Final = 0.005
"""So long is waited for a lull; where engines take long or many ask there is none, and the work is little beside theirs."""
_Item = TypeVar("_Item")


async def in_parts(items: Sequence[_Item], act: Callable[[_Item], None]) -> None:
    """Call `act` for each, and let the loop do its other work now and then."""
    size = max(_PART_MIN, -(-len(items) // _PARTS))
    for first in range(0, len(items), size):
        if first:
            await asyncio.sleep(0)
        for item in items[first : first + size]:
            act(item)


class Beat:
    """Moments in a row, from one beginning to the next however long what is done then takes."""

    def __init__(self, every_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._every_s = every_s
        self._due_s = self._loop.time() + every_s

    async def come(self) -> None:
        """Wait for the next one."""
        await asyncio.sleep(self._due_s - self._loop.time())
        self._due_s = self._loop.time() + self._every_s


async def lull(flights: Flights) -> None:
    """Wait until no replica has a request of this gateway, if that is soon. A timer is no such moment: it goes off when a request wakes the loop."""
    none_left = flights.none_left()
    if none_left is not None:
        await asyncio.wait((none_left,), timeout=_LULL_S)
