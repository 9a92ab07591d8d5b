"""One relayed request from its body to its engine: hold, choose, ask, retry, go on with its answer elsewhere. The answer is `answering`'s.

It goes there in steps that it does beside other requests (`cohort`). What depends on the others is all in one step: its limits, its turn, its replica.

The replica's count is taken in `_go_to` and given back in `_leave_replica`, nowhere else.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

import structlog

from alliage.engines.continuing import CONTINUES
from alliage.fleet.routing import Route, Upstream
from alliage.gateway import problems
from alliage.gateway.answering import ASK, NAME, PLACE, READ, REST, Answering
from alliage.gateway.body import output_max, read_ask, with_usage
from alliage.gateway.chosen import candidates, paths
from alliage.gateway.continuing import Continuation
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.failing import no_upstream, waited_for
from alliage.gateway.footing import Footing
from alliage.gateway.forms import form_of, read_form
from alliage.gateway.handing import handed_on
from alliage.gateway.naming import named
from alliage.gateway.passing import Passing
from alliage.gateway.problems import Problem
from alliage.gateway.prompts import logged_prompt
from alliage.gateway.request import Request
from alliage.gateway.stats import CLIENT_GONE
from alliage.gateway.upstream import UpstreamConnection

_log: Final = structlog.get_logger("alliage.gateway")
_now_s: Final = perf_counter


class Exchange(Answering):
    """`done(keep)` is called exactly once, unless the exchange is abandoned."""

    __slots__ = ("_form", "_fresh", "_is_in")

    def __init__(
        self,
        door: Door,
        request: Request,
        endpoint: Endpoint,
        transport: asyncio.Transport,
        done: Callable[[bool], None],
    ) -> None:
        super().__init__(door, request, endpoint, transport, done)
        self._form: bytes | None = None
        self._fresh = False
        self._is_in = False
        self._next = READ

    def step(self) -> None:
        """Do the next step."""
        step = self._next
        if step > ASK:
            super().step()
            return
        self._next = REST
        if step == READ:
            self._read()
        elif step == NAME:
            self._name()
        elif step == PLACE:
            self._place()
        elif step == ASK:
            self._ask_it()

    def _route(self) -> None:
        """Send it to a replica, hold it, or say no: now, not beside others."""
        self._next = NAME
        self.hurry()

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
            self._next = NAME

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
        self._next = PLACE

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
        self._next = ASK

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
            self.hurry()
        elif not (failures.may_be_continued(route) and self._hold(route.service)):
            self._break_off(passing, failures.why)

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
