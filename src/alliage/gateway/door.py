"""What all connections of one gateway process share: the table, keys, pools, counters and who is waiting. No parsing, no answers."""

import asyncio
import hashlib
import os
from time import perf_counter
from typing import Final, Protocol

import structlog

from alliage.decide.routing.board import Board
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Upstream
from alliage.gateway import problems
from alliage.gateway.admission import Admission
from alliage.gateway.books.accounts import Books
from alliage.gateway.books.telling import Teller
from alliage.gateway.cohort import Cohort
from alliage.gateway.flights import Flights
from alliage.gateway.guessing import Guessing
from alliage.gateway.kept import Kept
from alliage.gateway.known import KnownHeads
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.pools import Pool, renew_pools
from alliage.gateway.problems import Problem
from alliage.gateway.reach import Reach
from alliage.gateway.recorder import Recorder
from alliage.gateway.request import Request, credentials
from alliage.gateway.room import Room
from alliage.gateway.serving import Serving
from alliage.gateway.siblings import Siblings
from alliage.gateway.stats import Stats

_log: Final = structlog.get_logger("alliage.gateway")
_LATE_S: Final = 0.15
"""A gateway that comes to look so much later than it meant to says nothing of engines then."""
_REMEMBERED_MAX: Final = 4096
_REMEMBERED_BYTES_MAX: Final = 256


class Held(Protocol):
    """A request that waits for a table, or for a service that is starting."""

    def wake(self) -> None:
        """There is a new table: look again."""


class Guest(Protocol):
    """A client connection, as far as the door minds it."""

    def sweep(self, now_s: float) -> None:
        """Act on deadlines that have passed."""

    def leave_if_idle(self) -> None:
        """Close now if no request is in work, else after it."""

    def abort(self) -> None:
        """Close now, whatever is in work."""


class Reporter(Protocol):
    """Whoever tells control."""

    def table_taken(self) -> None:
        """The table was swapped."""

    def emptied(self, replica: ReplicaId) -> None:
        """The replica has no requests of this gateway any more."""

    def holds(self, service: str) -> None:
        """A request waits for this service."""

    def reach_changed(self) -> None:
        """Other replicas are out of reach than before."""

    def pace_changed(self) -> None:
        """Other replicas are slow than before."""


class Door:
    """Shared state of one gateway process; used on its event loop only."""

    __slots__ = (
        "_id_prefix", "_ids", "_looked_s", "_remembered", "admission", "answers", "board", "books", "control_connected", "deserted", "draining", "flights", "guessing", "guests",
        "heads", "held", "kept", "limits", "loop", "name", "now_s", "pools", "reach", "recorder", "reporter", "requests", "room", "serving", "siblings", "stats",
        "table", "tables", "teller",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: GatewayLimits, name: str = "gateway") -> None:
        self.loop = loop
        self.name = name
        """This process's among the gateways."""
        self.limits = limits
        self.name = name
        """Of this process; the same again when it was started again."""
        self.guessing = Guessing()
        self._looked_s = self.now_s = loop.time()
        """Seconds as of the last sweep: good enough for deadlines, free on the data path. While this process stands still (no CPU,
        no memory, stopped) they do not pass: what came meanwhile is not read yet, and nobody else is to blame. So no deadline is
        over by one late look."""
        self.table: RoutingTable | None = None
        self.tables = 0
        """How many there were."""
        self.serving = Serving()
        self.requests = Cohort(loop.call_soon)
        self.answers = Cohort(loop.call_soon)
        self.pools: dict[ReplicaId, Pool] = {}
        self.flights = Flights(self._emptied)
        self.board = Board()
        self.stats = Stats()
        self.heads = KnownHeads()
        """Heads of requests that were let in under this table."""
        self.admission = Admission(limits, self.board, self.stats)
        self.room = Room(limits.bodies_bytes_max)
        self.kept = Kept(limits.kept_bytes_max)
        self.reach = Reach(loop, limits, self.pools, changed=self._reach_changed, found=self.wake_held)
        self.held: dict[Held, str] = {}
        """Who waits, and for which service; "" while that is not known."""
        self.guests: set[Guest] = set()
        self.draining = False
        self.deserted = asyncio.Event()
        """Draining, and the last guest has left."""
        self.control_connected = False
        self.books = Books(None)
        self.teller = Teller()
        self.reporter: Reporter | None = None
        self.recorder: Recorder | None = None
        """Told of each request's end, where there is an access log or tracing."""
        self.siblings: Siblings | None = None
        self._remembered: dict[bytes, KeyEntry] = {}
        """Headers that were let in under this table, so that a key is not hashed for each request."""
        self._id_prefix = b"req-%b-" % os.urandom(5).hex().encode()
        self._ids = 0

    def next_id(self) -> bytes:
        """A request id that no other gateway process gives."""
        self._ids += 1
        return b"%b%d" % (self._id_prefix, self._ids)

    def who(self, authorization: bytes | None) -> KeyEntry | Problem | None:
        """Whose key this is, what is wrong with it, or None while there is no table to tell by."""
        if authorization is None:
            return problems.missing_key()
        entry = self._remembered.get(authorization)
        if entry is not None:
            return entry
        scheme, _, secret = authorization.partition(b" ")
        secret = secret.strip()
        if scheme.lower() != b"bearer" or not secret:
            return problems.missing_key()
        if self.table is None:
            return None
        entry = self.table.keys.get(hashlib.sha256(secret).hexdigest())
        if entry is None:
            return problems.wrong_key()
        if len(authorization) == len(scheme) + 1 + len(secret) <= _REMEMBERED_BYTES_MAX:  # not each way to pad it
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[authorization] = entry
        return entry

    def judge(self, request: Request) -> Problem | None:
        """Whose key it has, by the present table; what is wrong with it, if anything is."""
        request.judged = self.tables
        who = self.who(credentials(request.headers))
        if isinstance(who, Problem):
            return who
        request.entry = who
        return None

    def take_table(self, table: RoutingTable) -> None:
        """Route by this table from now on. Answers that have begun go on where they are."""
        wanted = {upstream.replica: upstream for route in table.routes.values() for upstream in route.upstreams}
        renew_pools(self.pools, wanted, self._new_pool)
        self.board.take(wanted.values(), table.routes)
        self.table = table
        self.tables += 1
        self.serving = Serving(table.serves)
        self._remembered.clear()
        self.heads.forget()
        _log.info("table taken", version=table.version, services=len(table.routes), replicas=len(wanted))
        self.admission.take_table(table, self.reach.unreachable)
        self.reach.table_taken()
        self.wake_held()
        self.admission.go_on()
        if self.reporter is not None:
            self.reporter.table_taken()

    def hold(self, held: Held, service: str) -> None:
        """It is woken by a new table, and when an engine that was in doubt is reached again."""
        self.held[held] = service
        if service and self.reporter is not None:
            self.reporter.holds(service)

    def wake_held(self) -> None:
        """All look again; who still has to wait is held anew."""
        waiting, self.held = self.held, {}
        for held in waiting:
            held.wake()

    def route(self, model: str) -> Route | None:
        """The service of this name; None without a table, too."""
        return None if self.table is None else self.table.routes.get(ServiceName(model))

    def knows_replica(self, replica: ReplicaId) -> bool:
        """Whether new requests may go there."""
        return replica in self.pools

    def sweep(self) -> None:
        """Look at running streams and at every deadline but the guests', which `look_at` is for."""
        looked_s, self._looked_s = self._looked_s, self.loop.time()
        passed_s, tick_s = self._looked_s - looked_s, self.limits.tick_s
        late_s = passed_s - tick_s
        self.now_s += min(passed_s, tick_s + min(tick_s, _LATE_S))  # no deadline is shorter than four ticks
        if self.board.look(perf_counter(), is_late=late_s > _LATE_S) and self.reporter is not None:
            self.reporter.pace_changed()
        self.admission.sweep()
        for pool in self.pools.values():
            pool.sweep(self.now_s)
        if self.recorder is not None:
            self.recorder.hand_on()

    def look_at(self, guest: Guest) -> None:
        """Act on its deadlines as of the last sweep, unless it has left."""
        if guest in self.guests:
            guest.sweep(self.now_s)

    def told(self, request: Request | None, status: int, reason: str, transport: asyncio.Transport) -> None:
        """A request was answered without going to a replica; `reason` is a refusal's code, None a request that was not whole."""
        sums = self.stats.unnamed
        sums.ended(status)
        if reason:
            sums.refused[reason] = sums.refused.get(reason, 0) + 1
        if self.recorder is not None:
            self.recorder.add_local(request, status, reason, transport)

    def forget(self, guest: Guest) -> None:
        """The guest's connection is closed."""
        self.guests.discard(guest)
        if self.draining and not self.guests:
            self.deserted.set()

    def drain(self) -> None:
        """Answer what is in work and let everyone go; who waits for a service is told no."""
        self.draining = True
        self.wake_held()
        self.admission.let_all_go()
        for guest in list(self.guests):
            guest.leave_if_idle()
        if not self.guests:
            self.deserted.set()

    def close(self) -> None:
        """Cut off whoever is still there."""
        for guest in list(self.guests):
            guest.abort()
        for pool in self.pools.values():
            pool.close()

    def _new_pool(self, upstream: Upstream) -> Pool:
        pool = Pool(upstream, self.loop, self.limits, self.reach, self.answers)
        pool.sweep(self.now_s)  # by this clock from the first connection on
        return pool

    def _emptied(self, replica: ReplicaId) -> None:
        if self.reporter is not None:
            self.reporter.emptied(replica)

    def _reach_changed(self) -> None:
        self.admission.count_slots(self.reach.unreachable)
        self.admission.go_on()
        if self.reporter is not None:
            self.reporter.reach_changed()
