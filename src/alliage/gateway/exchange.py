"""One relayed request from its routing to the end of its answer: hold, choose, ask, retry, pass the answer on, go on with it.

It goes from its body to its engine, and from the answer's last bytes to its end, in steps that it does beside other requests
(`cohort`). What depends on the others is all in one step: its limits, its turn, its replica.

The replica's count is taken in `_go_to` and given back in `_leave_replica`, nowhere else.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

import structlog

from alliage.engines.continuing import CONTINUES
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Route, Upstream
from alliage.gateway import problems, wire
from alliage.gateway.body import output_max, read_ask, with_usage
from alliage.gateway.books.accounts import Account
from alliage.gateway.choosing import Choosing
from alliage.gateway.chosen import candidates, paths
from alliage.gateway.continuing import Continuation
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.failing import Failures, no_upstream, waited_for
from alliage.gateway.footing import Footing
from alliage.gateway.forms import form_of, read_form
from alliage.gateway.grant import Grant
from alliage.gateway.handing import handed_on
from alliage.gateway.naming import named
from alliage.gateway.passing import Passing
from alliage.gateway.problems import Problem
from alliage.gateway.prompts import logged_prompt
from alliage.gateway.request import Request
from alliage.gateway.sse import EVENT
from alliage.gateway.stats import CLIENT_GONE, ServiceStats
from alliage.gateway.timing import Timing
from alliage.gateway.upstream import Listener, Pool, UpstreamConnection

_log: Final = structlog.get_logger("alliage.gateway")
_now_s: Final = perf_counter
_REST: Final = 0  # the steps: nothing is to be done until something comes,
_READ: Final = 1  # its body is read,
_NAME: Final = 2  # whose it is and what it asks for,
_PLACE: Final = 3  # it is let in and gets a replica,
_ASK: Final = 4  # which is asked;
_COUNT: Final = 5  # the answer is whole: it is written down and sent,
_END: Final = 6  # and everybody is told


class Exchange(Listener):
    """`done(keep)` is called exactly once, unless the exchange is abandoned."""

    __slots__ = (
        "_account", "_ask", "_choosing", "_connection", "_done", "_door", "_ended", "_endpoint", "_failures", "_footing", "_form", "_fresh", "_grant", "_held_until_s",
        "_is_in", "_joins", "_last", "_next", "_passing",
        "_paused", "_pool", "_request", "_resumed", "_stats", "_timing", "_touched_s", "_transport",
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
        self._timing = Timing(door.stats)
        self._account = Account(door.books, request.id, endpoint.path, transport, self._timing.began_s)
        self._touched_s = door.now_s
        self._held_until_s = 0.0
        self._stats: ServiceStats = door.stats.by_service[""]
        self._choosing = Choosing(door.board)
        self._pool: Pool | None = None
        self._connection: UpstreamConnection | None = None
        self._failures = Failures()
        self._form: bytes | None = None
        self._fresh = False
        self._ended = False
        self._paused = False
        self._passing: Passing | None = None
        self._ask: Ask | None = None
        self._resumed: Continuation | None = None
        self._joins = False
        self._grant: Grant | None = None
        self._footing: Footing | None = None
        self._is_in = False
        self._last = b""
        self._next = _READ

    @property
    def is_moving(self) -> bool:
        """Whether there is a next step now."""
        return self._next != _REST

    def step(self) -> None:
        """Do the next step."""
        step, self._next = self._next, _REST
        if step == _READ:
            self._read()
        elif step == _NAME:
            self._name()
        elif step == _PLACE:
            self._place()
        elif step == _ASK:
            self._ask_it()
        elif step == _COUNT:
            self._count_whole()
        elif step == _END:
            self._end_whole()

    def _route(self) -> None:
        """Send it to a replica, hold it, or say no: now, not beside others."""
        self._next = _NAME
        self._go_on_now()

    def _go_on_now(self) -> None:
        while self._next != _REST:
            self.step()

    def _read(self) -> None:
        """The body is whole."""
        if self._door.recorder is not None:
            self._timing.trace = self._door.recorder.trace(self._request)
        self._form = form = form_of(self._request, self._endpoint)
        ask = read_ask(self._request.body) if form is None else read_form(self._request.body, form)
        if isinstance(ask, Problem):
            self._refuse(ask)
        else:
            self._ask = ask
            who = self._request.entry
            if who is not None and who.logs_prompts:
                self._put_prompt_by()
            self._next = _NAME

    def _put_prompt_by(self) -> None:
        recorder = self._door.recorder
        if recorder is not None and recorder.keeps_prompts:
            self._timing.prompt = logged_prompt(self._request.body, self._form)

    def wake(self) -> None:
        """There is a new table, an engine is reached again, it waited too long, or the gateway is stopping."""
        if self._ended or self._ask is None:
            return
        if self._passing is not None and self._resumed is not None:
            self._go_on_with(self._passing, self._resumed)
        elif self._door.draining:
            self._refuse(problems.not_ready("This gateway is stopping; ask again."))
        else:
            self._request.entry = None  # its key may have been revoked
            self._route()

    def take_turn(self) -> None:
        """Others ended, and it is its turn."""
        if self._grant is not None:
            self._grant.place = None
        self._is_in = True
        self.wake()

    def send_away(self, problem: Problem) -> None:
        """Its turn does not come."""
        if not self._ended:
            self._refuse(problem)

    def _name(self) -> None:
        door, request, ask = self._door, self._request, self._ask
        if ask is None:
            return
        footing = named(door, request, ask)
        if isinstance(footing, Problem):
            self._refuse(footing)
            return
        if footing is None:
            if not self._hold(""):
                self._refuse(waited_for(None, self._failures, door.limits.hold_s))
            return
        self._footing = footing
        route, endpoint = footing.route, self._endpoint
        self._stats = stats = footing.stats
        self._account.named(footing.naming)
        if footing.asked is not endpoint and endpoint.task is not None and endpoint.task not in route.tasks:
            self._refuse(problems.wrong_task(ask.model, endpoint.path.decode(), paths(route)))
            return
        self._timing.named(stats, footing.meter, streams=bool(ask.stream))
        self._choosing.read(footing.service, footing.tenant, self._prompt)
        self._next = _PLACE

    def _place(self) -> None:
        door, request, footing, ask = self._door, self._request, self._footing, self._ask
        if footing is None or ask is None:
            return
        route, stats, streams, now_s = footing.route, footing.stats, bool(ask.stream), _now_s()
        is_limited = footing.has_scopes or stats.in_flight >= stats.slots
        if is_limited and not self._is_in and self._is_kept_out(footing, ask, now_s):
            return
        upstreams = candidates(door, footing, self._endpoint, request)
        if isinstance(upstreams, Problem):
            self._refuse(upstreams)
            return
        upstream = self._choosing.among(
            upstreams, self._failures.excluded(), route, footing.tenant, self._prompt, streams, now_s
        )
        if upstream is None:
            self._without_upstream(route)
        else:
            self._go_to(upstream, now_s)

    @property
    def _prompt(self) -> bytes:
        """What its prompt is in; nothing of a form, because the bytes of a file say nothing of tokens."""
        return self._request.body if self._form is None and self._endpoint.reads else b""

    def _is_kept_out(self, footing: Footing, ask: Ask, now_s: float) -> bool:
        """Whether it is refused, or waits for its turn. It is let in once, and lines up whenever the service is saturated."""
        admission, grant = self._door.admission, self._grant
        prompt = self._choosing.read(footing.service, footing.tenant, self._prompt)
        if grant is None:
            admitted = admission.admit(footing, prompt.tokens, output_max(ask), now_s)
            if isinstance(admitted, Problem):
                self._refuse(admitted)
                return True
            self._grant = grant = admitted
        if self._request.replica is None:
            problem = admission.line_up(self, grant, footing, prompt)
            if problem is not None:
                self._refuse(problem)
                return True
        return grant.place is not None

    def _without_upstream(self, route: Route) -> None:
        named = self._request.replica is not None
        if (problem := no_upstream(route, self._failures, named=named)) is not None:
            self._refuse(problem)
        elif not self._hold(route.service):
            self._refuse(waited_for(route, self._failures, self._door.limits.hold_s))

    def _hold(self, service: str) -> bool:
        """Wait for a new table, `hold_s` from the first time on; False when that is over."""
        door = self._door
        self._is_in = False
        if not self._held_until_s:
            self._held_until_s = door.now_s + door.limits.hold_s
        if may := not door.draining and door.now_s < self._held_until_s:
            door.hold(self, service)
        return may

    def _go_to(self, upstream: Upstream, now_s: float) -> None:
        replica = upstream.replica
        pool = self._door.pools[replica]
        self._pool = pool
        self._is_in = True
        if self._grant is not None:
            self._grant.is_sent = True
        self._door.flights.take(replica)
        self._timing.enter(replica, pool.chip, now_s)
        self._next = _ASK

    def _ask_it(self) -> None:
        pool = self._pool
        if pool is None:
            return
        self._account.enter(pool.upstream, self._choosing.prompt_tokens)
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
        if not self._ended:
            self._fail(why, until_reached=True)

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
        lines = handed_on(request, self._form)
        connection.ask(self, pool.request(self._endpoint.line, lines, request.id, body))

    def lost(self, connection: UpstreamConnection, why: str) -> None:
        """The engine's connection broke. A kept-alive one may have been closing as we asked: that is no failure."""
        self._connection = None
        if not self._fresh and not connection.heard and self._pool is not None:
            self._fresh = True
            self._pool.open(self)
        else:
            self._lose(why)

    def _lose(self, why: str) -> None:
        """It had the request and did not finish it."""
        begun = self._passing is not None
        if self._pool is not None:
            self._door.reach.suspect(self._pool, at_once=not begun)
        self._failures.losses += not begun
        self._fail(why, until_reached=begun)

    def _fail(self, why: str, *, until_reached: bool) -> None:
        if self._passing is None:
            self._try_another(why, until_reached=until_reached)
        else:
            self._go_on(self._passing, why, until_reached=until_reached)

    def _try_another(self, why: str, *, until_reached: bool = False) -> None:
        """The answer has not begun: another replica is asked, but none after two that took the request and failed."""
        pool, ask = self._pool, self._ask
        self._timing.replica_failed()
        replica = self._leave_replica()
        _log.warning("engine failed", replica=replica, why=why, request=self._request.id.decode())
        self._failures.why = why
        if pool is None or ask is None or self._failures.are_too_many:
            self._refuse(problems.upstream_failed("" if ask is None else ask.model, why))
            return
        self._failures.add(pool, until_reached=until_reached)
        self._fresh = False
        self._timing.retried()
        self._route()

    def relay(self, connection: UpstreamConnection, body: bytes, complete: bool) -> None:  # noqa: FBT001  # data path
        """Pass one read's worth of the answer on, in one write."""
        self._touched_s = self._door.now_s
        if self._choosing.saying is None:
            self._choosing.heard(body, connection.head.status, self._endpoint.first)
        passing = self._passing
        if passing is None:
            if not body and not complete:
                return  # engines send the head of a stream at once: while nothing is said another one can be asked
            passing = self._begin_answer(connection)
            if passing is None:
                return
        elif self._joins and not self._joined(passing, connection):
            return
        if self._timing.awaits_first and body and body.find(self._endpoint.first) >= 0:
            self._timing.saw(body)
        out = passing.take(body, complete)
        if complete or (self._resumed is not None and passing.is_over):
            self._last = out
            self._next = _COUNT
        else:
            self._send(passing, out, False)

    def _send(self, passing: Passing, out: bytes, is_over: bool) -> None:  # noqa: FBT001  # data path
        self._count(passing, out, is_over)
        if out:
            self._timing.sent_bytes += len(out)
            self._transport.write(out)

    def _count_whole(self) -> None:
        passing, out = self._passing, self._last
        self._last = b""
        if passing is not None:
            self._send(passing, out, True)
            self._next = _END

    def _end_whole(self) -> None:
        passing, connection = self._passing, self._connection
        self._connection = None
        if connection is not None:
            if connection.complete:
                connection.release()
            else:
                connection.drop()
        if passing is not None:
            self._end(passing)

    def _joined(self, passing: Passing, connection: UpstreamConnection) -> bool:
        """Whether the replica that was asked to go on with the answer does."""
        self._joins = False
        if not connection.head.is_stream:
            self._connection = None
            connection.drop()
            self._go_on(passing, f"it answered with status {connection.head.status}")
            return False
        self._held_until_s = 0.0  # if this one dies too it may wait anew
        self._timing.began(streams=True)
        return True

    def relay_chunk(self, chunk: bytes, head_bytes: int) -> bool:
        """Pass a chunk of a stream on as it came: of what comes after its first token that is nearly all."""
        passing, saying, timing = self._passing, self._choosing.saying, self._timing
        if passing is None or saying is None or timing.awaits_first:
            return False
        events = passing.take_chunk(chunk, head_bytes)
        if not events:
            return False
        self._touched_s = self._door.now_s
        saying.said += events
        self._account.passes(passing, chunk, events, False)
        timing.sent_bytes += len(chunk)
        self._transport.write(chunk)
        return True

    def _count(self, passing: Passing, out: bytes, is_over: bool) -> None:  # noqa: FBT001  # data path
        """Whoever counts events is told of a piece that goes to the client next."""
        events = 0
        if passing.streams:
            events = out.count(EVENT)
            if (saying := self._choosing.saying) is not None:
                saying.said += events
        self._account.passes(passing, out, events, is_over)

    def _end(self, passing: Passing) -> None:
        """The answer is whole."""
        said = 0 if self._resumed is None else self._resumed.said.tokens
        prompt, completion, cached = passing.counts()
        footing, grant, spent = self._footing, self._grant, 0
        now_s = 0.0 if passing.streams else self._account.ended_s  # a stream's account is over with its last event
        if grant is not None:
            spent = grant.told(prompt, completion, cached)
        elif footing is not None:
            spent = footing.rates.micros(prompt, cached, completion)
        self._timing.whole(
            passing.status, prompt, completion, said=said, cached=cached, spent_micros=spent, now_s=now_s
        )
        self._choosing.end(prompt, completion, now_s, was_continued=self._resumed is not None)
        self._finish(passing.status, keep=passing.keep)

    def _begin_answer(self, connection: UpstreamConnection) -> Passing | None:
        """The answer has begun, unless the engine did not let us in: that is a failure like any other."""
        request, ask = self._request, self._ask
        if connection.head.status in {401, 403} or ask is None:
            self._connection = None
            connection.drop()
            self._failures.losses += 1
            self._try_another("it refused the gateway's own key")
            return None
        keep = request.keep and not self._door.draining
        rehearsed = self._pool is not None and self._pool.is_rehearsed
        self._passing = passing = Passing(
            connection, request, self._endpoint, ask, keep=keep, rehearsed=rehearsed, kept=self._door.kept,
            extra=b"" if self._grant is None else self._grant.headers,
        )  # fmt: skip
        request.body = b""  # it is not asked again, unless the engine dies
        if request.kept_bytes:
            self._door.room.give_back(request)
        self._held_until_s = 0.0
        self._timing.began(streams=passing.streams)
        return passing

    def _go_on(self, passing: Passing, why: str, *, until_reached: bool = False) -> None:
        """The engine failed in the middle of its answer: another one goes on with it, now or later, or it is broken off."""
        self._timing.replica_failed()
        self._failures.why = why
        named = self._request.replica is not None  # another one's text would pass for this one's
        what, ask, pool = None if named else passing.continuation(), self._ask, self._pool
        replica = self._leave_replica()
        _log.warning("engine failed while answering", replica=replica, why=why, request=self._request.id.decode())
        if what is None or ask is None or pool is None or self._failures.are_too_many:
            self._break_off(passing, why)
            return
        self._failures.add(pool, until_reached=until_reached)
        passing.join(what, says_usage=ask.wants_usage)
        if what.finish is not None:
            self._resumed = what
            self._account.finished(passing)
            self._transport.write(passing.end(what.finish))
            self._end(passing)
            return
        self._go_on_with(passing, what)

    def _go_on_with(self, passing: Passing, what: Continuation) -> None:
        """Now, if there is another that can; held while one may come."""
        door, failures = self._door, self._failures
        if self._ask is None or (route := door.route(self._ask.model)) is None:
            self._break_off(passing, failures.why)
            return
        self._resumed = what
        able = [each for each in door.reach.preferred(route.upstreams) if each.engine in CONTINUES]
        now_s = _now_s()
        upstream = self._choosing.among(able, failures.excluded(), route, "", b"", True, now_s)
        if upstream is not None:
            self._timing.continued()
            failures.seams += 1
            self._joins, self._fresh = True, False
            self._go_to(upstream, now_s)
            self._go_on_now()
        elif not (failures.may_be_continued(route) and self._hold(route.service)):
            self._break_off(passing, failures.why)

    def _break_off(self, passing: Passing, why: str) -> None:
        """The engine failed in the middle: a stream gets an error event, anything else is cut short."""
        self._timing.broke()
        self._account.failed(passing.status)
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
        self._account.failed(problem.status)
        self._transport.write(
            wire.refusal(problem, request_id=request.id, connection=connection, anthropic=request.is_anthropic)
        )
        self._timing.refused(problem.status, problem.code)
        self._finish(problem.status, keep=keep)

    def _finish(self, status: int, *, keep: bool) -> None:
        self._over(status)
        self._done(keep)

    def _over(self, status: int) -> None:
        self._ended = True
        self._next = _REST
        if self._grant is not None:
            saying = self._choosing.saying
            self._door.admission.settle(
                self._grant,
                "" if self._ask is None else self._ask.model,
                has_begun=self._passing is not None or status == CLIENT_GONE,
                said=0 if saying is None else saying.said,
            )
        self._leave_replica()
        if self._passing is not None:
            self._passing.let_go()
        self._timing.over(status)
        if self._door.recorder is not None:
            self._door.recorder.add(self._request, self._timing, self._transport, status)

    def _leave_replica(self) -> ReplicaId | None:
        pool, self._pool = self._pool, None
        if pool is None:
            return None
        self._timing.leave()
        self._door.flights.give_back(pool.replica)
        self._choosing.leave()
        if self._stats.queued and self._ask is not None:
            self._door.admission.freed(self._ask.model)
        return pool.replica

    def abandon(self) -> None:
        """The client is gone: the engine's connection closes at once, so that it stops working on this."""
        if self._ended:
            return
        self._door.held.pop(self, None)
        self._account.left()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()
        self._timing.left()
        self._over(CLIENT_GONE)
        self._door.room.give_back(self._request)

    def pause(self) -> None:
        """The client does not read: neither do we."""
        self._paused = True
        self._timing.unread()
        self._account.unread()
        self._choosing.unread()
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
        if is_lost := self._pool is not None and self._pool.is_lost:
            limit_s = min(limit_s, limits.lost_s)
        if now_s - self._touched_s < limit_s:
            return
        self._connection = None
        connection.drop()
        if is_lost:
            self._lose("neither control nor this gateway reaches it")
        elif self._passing is not None:
            self._go_on(self._passing, f"it sent nothing for {limit_s:g} s")
        else:
            model = "" if self._ask is None else self._ask.model
            self._timing.replica_failed()
            self._refuse(problems.upstream_slow(model, limit_s))
