"""explaining: what the plan of now says of services, looked for in a thread. What it keeps in memory can be lost without harm."""

import asyncio
from collections.abc import Callable

from alliage.control.by_plan import WALL_S, explain_now
from alliage.decide.aiming.aims import Aims
from alliage.decide.solve.explain import Explanation
from alliage.fleet.ids import ServiceName


class Explaining:
    """Tries changes for WALL_S at most; asked again before there is another plan, nothing is tried again."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._one = asyncio.Lock()
        self._told: tuple[Aims, dict[ServiceName, Explanation | None]] | None = None

    async def told(self, name: ServiceName, aims: Aims) -> Explanation | None:
        """None where the plan does not know the service."""
        async with self._one:  # one at a time: each of them may take a processor for seconds
            if self._told is None or self._told[0] is not aims:
                self._told = aims, {}
            told = self._told[1]
            if name not in told:
                until_s = self._monotonic_s() + WALL_S
                told[name] = await asyncio.to_thread(explain_now, name, aims, lambda: self._monotonic_s() > until_s)
        return told[name]
