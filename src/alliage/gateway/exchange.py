"""One relayed request from its routing to the end of its answer: hold, choose, ask, retry once, pass the answer on.

The replica's count is taken in `_go_to` and given back in `_leave_replica`, nowhere else.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

import structlog

from alliage.catalog.records import Task
from alliage.engines.continuing import CONTINUES
from alliage.fleet.ids import ReplicaId
from alliage.fleet.keys import Role
from alliage.fleet.routing import REPLICA_HEADER, KeyEntry, Route, Upstream
from alliage.gateway import problems, wire
from alliage.gateway.body import Ask, read_ask, with_usage
from alliage.gateway.choosing import Choosing
from alliage.gateway.continuing import BODY_BYTES_MAX, Continuation
from alliage.gateway.door import Door
from alliage.gateway.passing import Passing
from alliage.gateway.problems import Problem
from alliage.gateway.request import Endpoint, Request, sane_accept
from alliage.gateway.stats import ServiceStats
from alliage.gateway.upstream import Pool, UpstreamConnection

_log: Final = structlog.get_logger("alliage.gateway")
_CHAT: Final = b"/v1/chat/completions"
_NOTHING: Final[frozenset[ReplicaId]] = frozenset()
_REPLICA_HEADER: Final = REPLICA_HEADER.lower().encode()
CLIENT_GONE: Final = 499
"""What counts as the status of a request whose client left before it was answered."""


class Exchange:
    """`done(keep)` is called exactly once, unless the exchange is abandoned."""

    __slots__ = (
        "_ask", "_choosing", "_connection", "_done", "_door", "_ended", "_endpoint", "_excluded", "_failure", "_fresh", "_held_until_s",
        "_joins", "_kept_body", "_passing", "_paused", "_pool", "_request", "_resumed", "_started_s", "_stats", "_touched_s", "_transport",
    )  # fmt: skip

    def __init__(
        self,
        door: Door,
        request: Request,
        endpoint: Endpoint,
        transport: asyncio.Transport,
        done: Callable[[bool], None],
    ) -> None:
        self._door = door
        self._request = request
        self._endpoint = endpoint
        self._transport = transport
        self._done = done
        self._started_s = perf_counter()
        self._touched_s = door.now_s
        self._held_until_s = 0.0
        self._stats: ServiceStats = door.stats.by_service[""]
        self._choosing = Choosing(door.board)
        self._pool: Pool | None = None
        self._connection: UpstreamConnection | None = None
        self._excluded = _NOTHING
        self._failure = ""
        self._fresh = False
        self._ended = False
        self._paused = False
        self._passing: Passing | None = None
        self._ask: Ask | None = None
        self._kept_body = b""
        self._resumed: Continuation | None = None
        self._joins = False

    def begin(self) -> None:
        """Route it: the body is whole."""
        ask = read_ask(self._request.body)
        if isinstance(ask, Problem):
            self._refuse(ask)
            return
        self._ask = ask
        self._route(ask)

    def wake(self) -> None:
        """There is a new table, or the gateway is stopping."""
        if self._ended or self._ask is None:
            return
        if self._door.draining:
            self._refuse(problems.not_ready("This gateway is stopping; ask again."))
            return
        self._request.entry = None  # its key may have been revoked
        self._route(self._ask)

    def _route(self, ask: Ask) -> None:
        """Send it to a replica, hold it, or say no."""
        door, request = self._door, self._request
        table = door.table
        if request.entry is None:
            who = door.who(request.headers.get(b"authorization"))
            if isinstance(who, Problem):
                self._refuse(who)
                return
            request.entry = who
        if table is None:
            self._hold("This gateway has not heard from control yet")
            return
        route = table.routes.get(ask.model)  # type: ignore[call-overload]  # a text that may name a service
        if route is None:
            self._refuse(problems.unknown_model(ask.model, table.routes))
            return
        self._stats = door.stats.of(ask.model)
        if self._endpoint.task not in route.tasks:
            self._refuse(problems.wrong_task(ask.model, self._endpoint.path.decode(), _paths(route)))
            return
        upstreams = route.upstreams
        if (chosen := request.headers.get(_REPLICA_HEADER)) is not None:
            problem, upstreams = _only(route, chosen.decode("latin-1"), request.entry)
            if problem is not None:
                self._refuse(problem)
                return
        upstream = self._choosing.among(upstreams, self._excluded, route, request.entry, request.body, bool(ask.stream))
        if upstream is None:
            self._without_upstream(route)
        else:
            self._go_to(upstream)

    def _without_upstream(self, route: Route) -> None:
        if self._failure:
            self._refuse(problems.upstream_failed(route.service, self._failure))
        elif route.refusal:
            self._refuse(problems.not_ready(route.refusal, retry_after_s=30))
        elif route.waiting:
            self._hold(f"The service {route.service!r} is not ready: {route.waiting}")
        else:
            self._refuse(problems.not_ready(f"The service {route.service!r} has no running engine."))

    def _hold(self, why: str) -> None:
        """Wait for a new table, `hold_s` from the first time on."""
        door = self._door
        if not self._held_until_s:
            self._held_until_s = door.loop.time() + door.limits.hold_s
        if door.draining or door.loop.time() >= self._held_until_s:
            self._refuse(problems.not_ready(f"{why}; waited {door.limits.hold_s:g} s."))
            return
        door.held[self] = None

    def _go_to(self, upstream: Upstream) -> None:
        pool = self._door.pools[upstream.replica]
        self._pool = pool
        self._door.flights.take(upstream.replica)
        connection = pool.take()
        if connection is None:
            self._fresh = True
            pool.open(self)
        else:
            self._ask_on(connection)

    def connected(self, connection: UpstreamConnection) -> None:
        """A fresh connection is there."""
        if self._ended:
            connection.drop()
        else:
            self._ask_on(connection)

    def unreachable(self, why: str) -> None:
        """No connection could be made."""
        if self._ended:
            return
        if self._passing is not None:
            self._go_on(self._passing, why)
        else:
            self._try_another(why)

    def _ask_on(self, connection: UpstreamConnection) -> None:
        request, pool, ask = self._request, self._pool, self._ask
        if pool is None or ask is None:
            return
        body = request.body if self._resumed is None else self._resumed.body_for(pool.upstream.engine) or b""
        if self._resumed is None and ask.stream and self._endpoint.streams and not ask.wants_usage:
            body = with_usage(body, ask)
        self._connection = connection
        self._touched_s = self._door.now_s
        if self._paused:
            connection.pause()
        connection.ask(
            self,
            b"%bAccept: %b\r\nX-Request-Id: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (
                pool.head(self._endpoint.path),
                sane_accept(request.headers.get(b"accept")),
                request.id,
                len(body),
                body,
            ),
        )

    def lost(self, connection: UpstreamConnection, why: str) -> None:
        """The engine's connection broke. A kept-alive one may have been closing as we asked: that is no failure."""
        self._connection = None
        if not self._fresh and not connection.heard and self._pool is not None:
            self._fresh = True
            self._pool.open(self)
        elif self._passing is not None:
            self._go_on(self._passing, why)
        else:
            self._try_another(why)

    def _try_another(self, why: str) -> None:
        """Once, on another replica; the answer has not begun."""
        replica = self._leave_replica()
        _log.warning("engine failed", replica=replica, why=why, request=self._request.id.decode())
        first = not self._failure
        self._failure = why
        if replica is None or self._ask is None or not first:
            self._refuse(problems.upstream_failed("" if self._ask is None else self._ask.model, why))
            return
        self._excluded = frozenset({replica})
        self._fresh = False
        self._stats.retried += 1
        self._route(self._ask)

    def relay(self, connection: UpstreamConnection, body: bytes, complete: bool) -> None:  # noqa: FBT001  # data path
        """Pass one read's worth of the answer on, in one write."""
        self._touched_s = self._door.now_s
        self._choosing.heard(body, connection.status)
        passing = self._passing
        if passing is None:
            passing = self._begin_answer(connection)
            if passing is None:
                return
        elif self._joins:
            self._joins = False
            if connection.status != 200 or not (connection.header(b"content-type") or b"").startswith(
                b"text/event-stream"
            ):
                self._connection = None
                connection.drop()
                self._go_on(passing, f"it answered with status {connection.status}")
                return
        out = passing.take(body, complete)
        if out:
            self._transport.write(out)
        if self._resumed is not None and passing.is_over and not complete:
            self._connection = None
            connection.drop()
            self._end_continued(passing)
        elif complete:
            prompt, completion = passing.tokens()
            self._stats.prompt_tokens += prompt
            self._stats.completion_tokens += completion
            self._choosing.end(prompt, completion, was_continued=self._resumed is not None)
            self._connection = None
            connection.release()
            self._finish(passing.status, keep=passing.keep)

    def _begin_answer(self, connection: UpstreamConnection) -> Passing | None:
        """The answer has begun, unless the engine did not let us in: that is a failure like any other."""
        request, ask = self._request, self._ask
        if connection.status in {401, 403} or ask is None:
            self._connection = None
            connection.drop()
            self._try_another("it refused the gateway's own key")
            return None
        keep = request.keep and not self._door.draining
        rehearsed = self._pool is not None and self._pool.upstream.is_rehearsed
        continued = self._endpoint.path == _CHAT and bool(ask.stream) and len(request.body) <= BODY_BYTES_MAX
        self._passing = passing = Passing(
            connection, request, self._endpoint, ask, keep=keep, rehearsed=rehearsed, continued=continued
        )
        self._kept_body = request.body if continued else b""
        request.body = b""  # it is not asked again, unless the engine dies
        if request.kept_bytes:
            self._door.room.give_back(request)
        self._stats.first_byte(perf_counter() - self._started_s)
        self._stats.streamed += passing.streams
        return passing

    def _go_on(self, passing: Passing, why: str) -> None:
        """The engine failed in the middle of its answer: another one goes on with it, or it is broken off."""
        what, ask, table = passing.continuation(self._kept_body), self._ask, self._door.table
        route = None if ask is None or table is None else table.routes.get(ask.model)  # type: ignore[call-overload]
        if what is None or ask is None or route is None:
            self._break_off(passing, why)
            return
        dead = self._leave_replica()
        self._excluded = self._excluded | ({dead} if dead is not None else set())
        _log.warning("engine failed while answering", replica=dead, why=why, request=self._request.id.decode())
        passing.join(what, says_usage=ask.wants_usage)
        if what.finish is not None:
            self._transport.write(passing.end(what.finish))
            self._end_continued(passing)
            return
        able = [each for each in route.upstreams if each.engine in CONTINUES]
        upstream = self._choosing.among(able, self._excluded, route, self._request.entry, self._kept_body, True)
        if upstream is None:
            self._break_off(passing, why)
            return
        self._stats.continued += self._resumed is None
        self._resumed, self._joins, self._fresh = what, True, False
        self._go_to(upstream)

    def _end_continued(self, passing: Passing) -> None:
        prompt, completion = passing.tokens()
        self._stats.prompt_tokens += prompt
        self._stats.completion_tokens += completion
        self._finish(passing.status, keep=passing.keep)

    def _break_off(self, passing: Passing, why: str) -> None:
        """The engine failed in the middle: a stream gets an error event, anything else is cut short."""
        self._stats.broken += 1
        _log.warning("engine failed while answering", why=why, request=self._request.id.decode())
        last = passing.break_off(why)
        if last is None:
            self._transport.close()
        else:
            self._transport.write(last)
        self._finish(passing.status, keep=passing.keep and last is not None)

    def _refuse(self, problem: Problem) -> None:
        request = self._request
        self._door.room.give_back(request)
        keep = request.keep and not self._door.draining and not problem.closes
        connection = wire.connection_header(keep=keep, old=request.old)
        self._transport.write(wire.refusal(problem, request_id=request.id, connection=connection))
        self._finish(problem.status, keep=keep)

    def _finish(self, status: int, *, keep: bool) -> None:
        self._ended = True
        self._leave_replica()
        self._stats.answered(status)
        self._done(keep)

    def _leave_replica(self) -> ReplicaId | None:
        pool, self._pool = self._pool, None
        if pool is None:
            return None
        self._door.flights.give_back(pool.upstream.replica)
        self._choosing.leave()
        return pool.upstream.replica

    def abandon(self) -> None:
        """The client is gone: the engine's connection closes at once, so that it stops working on this."""
        if self._ended:
            return
        self._ended = True
        self._door.held.pop(self, None)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
        self._leave_replica()
        self._door.room.give_back(self._request)
        self._stats.answered(CLIENT_GONE)

    def pause(self) -> None:
        """The client does not read: neither do we."""
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """The client reads again."""
        self._paused = False
        self._touched_s = self._door.now_s
        if self._connection is not None:
            self._connection.resume()

    def sweep(self, now_s: float) -> None:
        """Act on what took too long."""
        limits = self._door.limits
        if self in self._door.held:
            if now_s >= self._held_until_s:
                del self._door.held[self]
                self.wake()
            return
        connection = self._connection
        if connection is None or self._paused:
            return
        limit_s = limits.upstream_head_s if self._passing is None else limits.upstream_stall_s
        if now_s - self._touched_s < limit_s:
            return
        self._connection = None
        connection.drop()
        if self._passing is not None:
            self._go_on(self._passing, f"it sent nothing for {limit_s:g} s")
        else:
            model = "" if self._ask is None else self._ask.model
            self._refuse(problems.upstream_slow(model, limit_s))


def _only(route: Route, replica: str, who: KeyEntry | None) -> tuple[Problem | None, tuple[Upstream, ...]]:
    """The one replica that an admin asks for, or why not."""
    if who is None or who.role is not Role.ADMIN:
        return problems.admins_only(REPLICA_HEADER), ()
    found = tuple(each for each in route.upstreams if each.replica == replica)
    if found:
        return None, found
    return problems.no_such_replica(route.service, replica, (each.replica for each in route.upstreams)), ()


def _paths(route: Route) -> list[str]:
    """The endpoints that a route's model answers."""
    return ["/v1/embeddings" if task is Task.EMBED else "/v1/chat/completions" for task in route.tasks]
