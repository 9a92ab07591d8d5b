"""The connections to engines, a pool for each replica: opened, kept while they are idle, renewed with a table."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway.cohort import Cohort
from alliage.gateway.descriptors import NONE_LEFT
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.upstream import Listener, Owner, UpstreamConnection

_NO_DESCRIPTOR_S: Final = 0.05


def authority(upstream: Upstream) -> str:
    """`host:port` as the Host header has it."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return f"{host}:{upstream.port}"


class Watch(Protocol):
    """Whoever minds which pools can be reached."""

    def accepted(self, pool: "Pool") -> None:
        """It accepted a connection: its machine is on, whatever its programs do."""

    def reached(self, pool: "Pool") -> None:
        """It answered."""

    def missed(self, pool: "Pool") -> None:
        """It did not."""


class Pool(Owner):
    """The connections to one upstream. The last one given back is used first, so that the others can grow old."""

    __slots__ = (
        "_idle", "_idle_max", "_limits", "_lines", "_loop", "_now_s", "_opening", "_watch", "chip", "is_closed", "is_rehearsed", "is_suspect", "missed", "replica",
        "upstream",
    )  # fmt: skip

    def __init__(
        self, upstream: Upstream, loop: asyncio.AbstractEventLoop, limits: GatewayLimits, watch: Watch, answers: Cohort
    ) -> None:
        """`answers` are those of all pools, which are worked on together."""
        super().__init__(answers)
        self.upstream = upstream
        """Of it only `is_doubted` ever changes; what a request asks of it is beside it."""
        self.replica = upstream.replica
        self.chip: str = upstream.origin.chip
        self.is_rehearsed = upstream.is_rehearsed
        self._idle_max = max(upstream.concurrency, 1)
        self._loop = loop
        self._limits = limits
        self._watch = watch
        self.missed = 0
        """Connections in a row that were not accepted, and tries that were not answered."""
        self.is_suspect = False
        """It broke off an answer, and has answered nothing since."""
        self.is_closed = False
        """The replica left the table, or listens elsewhere now."""
        self._idle: list[UpstreamConnection] = []
        self._lines = b"Host: %b\r\nAuthorization: Bearer %b\r\n" % (
            authority(upstream).encode(),
            upstream.key.encode(),
        )
        self._opening: set[asyncio.Task[None]] = set()
        self._now_s = loop.time()

    @property
    def has_failed(self) -> bool:
        """It failed, and has answered nothing since."""
        return self.is_suspect or self.missed > 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether it should be tried."""
        return self.has_failed or self.upstream.is_doubted

    @property
    def is_unreachable(self) -> bool:
        """Where control still hears its agent, one miss is not enough."""
        return self.missed > (0 if self.upstream.is_doubted else 1)

    @property
    def is_lost(self) -> bool:
        """Neither control nor we reach it; the last word on a pool that is closed."""
        return self.missed > 0 and self.upstream.is_doubted

    def request(self, line: bytes, lines: bytes, request_id: bytes, body: bytes) -> bytes:
        """A whole request as bytes: its request line, what is said to this upstream alone, and `lines`, which are whole header lines."""
        return b"%b%b%bX-Request-Id: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            line, self._lines, lines, request_id, len(body), body,
        )  # fmt: skip

    def take(self) -> UpstreamConnection | None:
        """An idle connection, or None: then `open` one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    def put(self, connection: UpstreamConnection) -> None:
        """Keep an idle connection, but no more than the engine has slots: an engine may hold a thread for each."""
        if self.is_closed or len(self._idle) >= self._idle_max:
            connection.drop()
            return
        connection.idle_since_s = self._now_s
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """It is closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def answered(self) -> None:
        """It did not only accept."""
        self._watch.reached(self)

    def open(self, listener: Listener) -> None:
        """Connect; the listener is told how it went."""
        task = self._loop.create_task(self._open(listener))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, listener: Listener) -> None:
        limit_s = self._limits.upstream_connect_s
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._connect()
        except TimeoutError:
            self._watch.missed(self)
            listener.unreachable(f"it did not accept a connection within {limit_s:g} s")
        except OSError as error:
            if error.errno not in NONE_LEFT:  # which says nothing of the engine
                self._watch.missed(self)
            listener.unreachable(f"it cannot be reached ({error.strerror or error})")
        else:
            self._watch.accepted(self)
            listener.connected(connection)

    async def _connect(self) -> UpstreamConnection:
        """A connection. While this process has no descriptor left one is waited for, for half of the time there is."""
        upstream, since_s = self.upstream, self._loop.time()
        while True:
            try:
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self), upstream.host, upstream.port
                )
            except OSError as error:
                if error.errno not in NONE_LEFT or self._loop.time() - since_s > self._limits.upstream_connect_s / 2:
                    raise
                await asyncio.sleep(_NO_DESCRIPTOR_S)
            else:
                return connection

    def sweep(self, now_s: float) -> None:
        """Close what has been idle too long."""
        self._now_s = now_s
        oldest_s = now_s - self._limits.upstream_idle_s
        while self._idle and self._idle[0].idle_since_s < oldest_s:
            self._idle.pop(0).drop()

    def close(self) -> None:
        """Drop what is idle now, and what is in use when it is given back."""
        self.is_closed = True
        while self._idle:
            self._idle.pop().drop()


def renew_pools(
    pools: dict[ReplicaId, Pool], wanted: Mapping[ReplicaId, Upstream], opened: Callable[[Upstream], Pool]
) -> None:
    """For a new table's upstreams: a replica that is as it was keeps its pool, whether it is doubted or not."""
    for replica, pool in list(pools.items()):
        upstream = wanted.get(replica)
        if upstream is not None and replace(upstream, is_doubted=pool.upstream.is_doubted) == pool.upstream:
            pool.upstream = upstream
        else:
            pool.close()
            del pools[replica]
    for replica, upstream in wanted.items():
        if replica not in pools:
            pools[replica] = opened(upstream)
