"""Which replicas this gateway can reach: what its own connections showed, and tries of those that someone doubts.

It reports and prefers; whether a replica is dead is for control to judge.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.upstream import Pool

_TRIES_MAX: Final = 256
"""At the same time; a hall that is lost is tried in so many at once."""


class Reach:
    """Tries each doubted pool every `reach_every_s`, until it is reached or gone, with `reach_s` to accept a connection."""

    __slots__ = ("_changed", "_due", "_found", "_limits", "_loop", "_pools", "_trying", "unreachable")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: GatewayLimits,
        pools: Mapping[ReplicaId, Pool],
        *,
        changed: Callable[[], None],
        found: Callable[[], None],
    ) -> None:
        """`changed` is called when `unreachable` is another set, `found` when one that was in doubt was reached."""
        self._loop = loop
        self._limits = limits
        self._pools = pools
        self._changed = changed
        self._found = found
        self._due: dict[Pool, None] = {}
        self._trying: dict[Pool, asyncio.Task[None]] = {}
        self.unreachable: set[ReplicaId] = set()

    def preferred(self, upstreams: Sequence[Upstream]) -> Sequence[Upstream]:
        """Those not known to be out of reach; all where no other is left."""
        unreachable = self.unreachable
        if not unreachable:
            return upstreams
        return [each for each in upstreams if each.replica not in unreachable] or upstreams

    def reached(self, pool: Pool) -> None:
        """It accepted a connection."""
        if pool.missed or pool.is_suspect:
            pool.missed, pool.is_suspect = 0, False
            self._settle()
            self._found()

    def missed(self, pool: Pool) -> None:
        """It did not."""
        pool.missed += 1
        self._settle()

    def suspect(self, pool: Pool, *, at_once: bool = False) -> None:
        """It broke off an answer: it is tried, now or with the next round."""
        if pool.is_closed:
            return
        pool.is_suspect = True
        if at_once:
            self._due[pool] = None
            self._try_due()

    def table_taken(self) -> None:
        """Other pools, or other doubts."""
        self._settle()
        self._look()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._limits.reach_every_s)
                self._look()
        finally:
            self._due.clear()
            for task in self._trying.values():
                task.cancel()

    def _look(self) -> None:
        self._due |= {pool: None for pool in self._pools.values() if pool.is_in_doubt}
        self._try_due()

    def _settle(self) -> None:
        """The set anew; that is rare."""
        now = {replica for replica, pool in self._pools.items() if pool.is_unreachable}
        if now != self.unreachable:
            self.unreachable = now
            self._changed()

    def _try_due(self) -> None:
        while self._due and len(self._trying) < _TRIES_MAX:
            pool = next(iter(self._due))
            del self._due[pool]
            if pool not in self._trying and not pool.is_closed:
                self._trying[pool] = task = self._loop.create_task(self._try(pool))
                task.add_done_callback(partial(self._tried, pool))

    async def _try(self, pool: Pool) -> None:
        try:
            async with asyncio.timeout(self._limits.reach_s):
                transport, _ = await self._loop.create_connection(
                    asyncio.Protocol, pool.upstream.host, pool.upstream.port
                )
        except (TimeoutError, OSError):
            self.missed(pool)
        else:
            transport.close()
            self.reached(pool)

    def _tried(self, pool: Pool, _: asyncio.Task[None]) -> None:
        del self._trying[pool]
        self._try_due()
