"""Which replicas this gateway can reach: what its own connections showed, and tries of those that someone doubts.

A try asks `GET /health` and waits for any byte: the kernel of a machine whose programs stand still goes on accepting connections.
Whatever is answered is an answer, also that there is no such path. It reports and prefers; whether a replica is dead is for control to judge.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway.descriptors import NONE_LEFT
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.pools import Pool, authority

_TRIES_MAX: Final = 256
"""At the same time; a hall that is lost is tried in so many at once."""
_GATHER_S: Final = 0.02
"""A hall that is back is found replica by replica: those who wait are woken once for several."""


_ROUNDS: Final = 8
"""Of the loop; enough for a connection that was made to be told."""
_Result = TypeVar("_Result")


class _Asking(asyncio.Protocol):
    """One try: `answered` is done with the first byte, or fails with the connection."""

    def __init__(self, answered: asyncio.Future[None]) -> None:
        self._answered = answered

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio's signature
        """It lives."""
        if not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It closed, or broke."""
        if not self._answered.done():
            self._answered.set_exception(exc if isinstance(exc, OSError) else ConnectionResetError("it did not answer"))


async def _answer(loop: asyncio.AbstractEventLoop, upstream: Upstream, limits: GatewayLimits) -> None:
    """Return when it has answered something; raises OSError or TimeoutError."""
    answered: asyncio.Future[None] = loop.create_future()
    connecting = loop.create_connection(lambda: _Asking(answered), upstream.host, upstream.port)
    transport, _ = await _within(limits.reach_s, connecting)
    asked = f"GET /health HTTP/1.1\r\nHost: {authority(upstream)}\r\nConnection: close\r\n\r\n"
    try:
        transport.write(asked.encode())
        await _within(limits.reach_answer_s, answered)
    finally:
        answered.cancel()
        transport.abort()


async def _within(limit_s: float, coming: Awaitable[_Result]) -> _Result:
    """What comes; raises TimeoutError. The loop looks at its clock before it reads what came while this process stood still."""
    task = asyncio.ensure_future(coming)
    try:
        await asyncio.wait((task,), timeout=limit_s)
        for _ in range(_ROUNDS):
            if not task.done():
                await asyncio.sleep(0)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()


class Reach:
    """Tries each doubted pool every `reach_every_s`, until it is reached or gone, with `reach_s` to accept and `reach_answer_s` to answer."""

    __slots__ = ("_changed", "_due", "_found", "_found_due", "_limits", "_loop", "_pools", "_trying", "unreachable")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: GatewayLimits,
        pools: Mapping[ReplicaId, Pool],
        *,
        changed: Callable[[], None],
        found: Callable[[], None],
    ) -> None:
        """`changed` is called when `unreachable` is another set, `found` soon after one that was in doubt was reached."""
        self._loop = loop
        self._limits = limits
        self._pools = pools
        self._changed = changed
        self._found = found
        self._found_due: asyncio.TimerHandle | None = None
        self._due: dict[Pool, None] = {}
        self._trying: dict[Pool, asyncio.Task[None]] = {}
        self.unreachable: set[ReplicaId] = set()

    def preferred(self, upstreams: Sequence[Upstream]) -> Sequence[Upstream]:
        """Those not known to be out of reach; all where no other is left."""
        unreachable = self.unreachable
        if not unreachable:
            return upstreams
        return [each for each in upstreams if each.replica not in unreachable] or upstreams

    def accepted(self, pool: Pool) -> None:
        """It accepted a connection: where it is in doubt it is asked at once whether it answers too."""
        if pool.has_failed:
            self._due[pool] = None
            self._try_due()

    def reached(self, pool: Pool) -> None:
        """It answered."""
        if pool.missed or pool.is_suspect:
            pool.missed, pool.is_suspect = 0, False
            self._settle(pool)
            if self._found_due is None:
                self._found_due = self._loop.call_later(_GATHER_S, self._tell_found)

    def missed(self, pool: Pool) -> None:
        """It did not accept, or not answer."""
        pool.missed += 1
        self._settle(pool)

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
        now = {replica for replica, pool in self._pools.items() if pool.is_unreachable}
        if now != self.unreachable:
            self.unreachable = now
            self._changed()
        self._look()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._limits.reach_every_s)
                self._look()
        finally:
            self._due.clear()
            if self._found_due is not None:
                self._found_due.cancel()
            for task in self._trying.values():
                task.cancel()

    def _look(self) -> None:
        self._due |= {pool: None for pool in self._pools.values() if pool.is_in_doubt}
        self._try_due()

    def _tell_found(self) -> None:
        self._found_due = None
        self._found()

    def _settle(self, pool: Pool) -> None:
        replica = pool.replica
        if self._pools.get(replica) is not pool or pool.is_unreachable == (replica in self.unreachable):
            return
        self.unreachable ^= {replica}
        self._changed()

    def _try_due(self) -> None:
        while self._due and len(self._trying) < _TRIES_MAX:
            pool = next(iter(self._due))
            del self._due[pool]
            if pool not in self._trying and not pool.is_closed:
                self._trying[pool] = task = self._loop.create_task(self._try(pool))
                task.add_done_callback(partial(self._tried, pool))

    async def _try(self, pool: Pool) -> None:
        heard = pool.heard
        try:
            await _answer(self._loop, pool.upstream, self._limits)
        except OSError as error:  # TimeoutError is one
            if error.errno in NONE_LEFT:
                return  # ours are used up, which says nothing of the engine
            if pool.heard != heard:  # it answers others, if not us
                self.reached(pool)
            else:
                self.missed(pool)
        else:
            self.reached(pool)

    def _tried(self, pool: Pool, _: asyncio.Task[None]) -> None:
        del self._trying[pool]
        self._try_due()
