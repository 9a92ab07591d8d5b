"""The answer's half of a relayed request: each piece passed on, its tokens counted, its end told to everybody.

Who asks and whom, and what is done when an engine fails, is `exchange`'s.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from alliage.fleet.ids import ReplicaId
from alliage.gateway import wire
from alliage.gateway.books.accounts import Account
from alliage.gateway.choosing import Choosing
from alliage.gateway.continuing import Continuation
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.failing import Failures
from alliage.gateway.footing import Footing
from alliage.gateway.grant import Grant
from alliage.gateway.passing import Passing
from alliage.gateway.pools import Pool
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request
from alliage.gateway.sse import EVENT
from alliage.gateway.stats import CLIENT_GONE, ServiceStats
from alliage.gateway.timing import Timing
from alliage.gateway.upstream import Listener, UpstreamConnection

REST: Final = 0
"""Nothing is to be done until something comes. The steps of a request, which are `exchange`'s:"""
READ: Final = 1
"""its body is read,"""
NAME: Final = 2
"""whose it is, what it asks for, and what its prompt begins with,"""
PLACE: Final = 3
"""it is let in and gets a replica,"""
ASK: Final = 4
"""which is asked. The steps of an answer, which is whole:"""
COUNT: Final = 5
"""it is written down and sent,"""
END: Final = 6
"""and everybody is told."""


class Answering(Listener):
    """`done(keep)` is called exactly once, unless the exchange is abandoned."""

    __slots__ = (
        "_account", "_ask", "_choosing", "_connection", "_done", "_door", "_ended", "_endpoint", "_failures", "_footing", "_grant", "_held_until_s",
        "_joins", "_last", "_next", "_passing", "_paused", "_pool", "_request", "_resumed", "_stats", "_timing", "_touched_s", "_transport",
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
        self._ended = False
        self._paused = False
        self._passing: Passing | None = None
        self._ask: Ask | None = None
        self._resumed: Continuation | None = None
        self._joins = False
        self._grant: Grant | None = None
        self._footing: Footing | None = None
        self._last = b""
        self._next = REST

    @property
    def is_moving(self) -> bool:
        """Whether there is a next step now."""
        return self._next != REST

    def step(self) -> None:
        """Do the next step."""
        step, self._next = self._next, REST
        if step == COUNT:
            self._count_whole()
        elif step == END:
            self._end_whole()

    def broke(self) -> None:
        """A bug: nobody knows how far it came, so the client is let go."""
        self._transport.abort()

    def _try_another(self, why: str, *, until_reached: bool = False) -> None:
        """The answer has not begun, and the engine failed."""
        raise NotImplementedError

    def _go_on(self, passing: Passing, why: str, *, until_reached: bool = False) -> None:
        """The engine failed in the middle of its answer."""
        raise NotImplementedError

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
            self._next = COUNT
        else:
            self._send(passing, out, False)

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

    def _send(self, passing: Passing, out: bytes, is_over: bool) -> None:  # noqa: FBT001  # data path
        self._count(passing, out, is_over)
        if out:
            self._timing.sent_bytes += len(out)
            self._transport.write(out)

    def _count(self, passing: Passing, out: bytes, is_over: bool) -> None:  # noqa: FBT001  # data path
        """Whoever counts events is told of a piece that goes to the client next."""
        events = 0
        if passing.streams:
            events = out.count(EVENT)
            if (saying := self._choosing.saying) is not None:
                saying.said += events
        self._account.passes(passing, out, events, is_over)

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

    def _count_whole(self) -> None:
        passing, out = self._passing, self._last
        self._last = b""
        if passing is not None:
            self._send(passing, out, True)
            self._next = END

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
        self._next = REST
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
