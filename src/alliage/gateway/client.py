"""Client connections: answer in order, one request in work at a time, let go in time. Parsing is `intake`'s, relaying `exchange`'s.

While a request is in work the connection is still read, because that is how a client that leaves is noticed; one that
closes its sending side counts as gone.
"""

import asyncio
from typing import Final, cast

from alliage.gateway import problems, wire
from alliage.gateway.cohort import Member
from alliage.gateway.door import Door
from alliage.gateway.endpoints import HEALTH, Action
from alliage.gateway.exchange import Exchange
from alliage.gateway.intake import Intake
from alliage.gateway.local import answer_locally
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, check_head, sane_id

_RELAY: Final = Action.RELAY
_IDLE: Final = 0
_HEAD: Final = 1
_BODY: Final = 2
_WORK: Final = 3
_LINGER: Final = 4
_LINGERING_MAX: Final = 256
"""Connections above the limit that are told so; further ones are just closed."""


class ClientConnection(Member):
    """One connection of a client."""

    __slots__ = (
        "_advancing", "_body_since_s", "_done", "_door", "_exchange", "_intake", "_leftover", "_paused_since_s", "_phase", "_reading_paused", "_touched_s",
        "_transport", "beneath",
    )  # fmt: skip

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door
        self._transport: asyncio.Transport | None = None
        self.beneath: asyncio.Transport | None = None
        """Of one that speaks TLS: where its bytes go."""
        self._intake = Intake(door.limits, self._admit, door.room, door.heads)
        self._done = self._answered  # bound once, not for each request
        self._exchange: Exchange | None = None
        self._advancing = False
        self._leftover = bytearray()
        self._reading_paused = False
        self._paused_since_s: float | None = None
        self._phase = _IDLE
        self._touched_s = self._body_since_s = door.now_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came; above the limit it is told so and let go."""
        door = self._door
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it
        places, taken = door.limits.connections_max, len(door.guests)
        if taken >= places + _LINGERING_MAX:
            transport.abort()
            return
        door.guests.add(self)
        transport.set_write_buffer_limits(high=door.limits.write_high_bytes, low=door.limits.write_low_bytes)
        if taken >= places:
            self._refuse_connection(problems.too_many_connections(places))
        elif door.draining:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes of this request, or of later ones."""
        self._door.requests.brought(self, data)

    def eof_received(self) -> None:
        """No more comes. TLS ends both ways at once then, so what came is answered before."""
        if self.came:
            self._door.requests.hurry(self)

    def step(self) -> bool:
        """Take what came; then it is its exchange's turn."""
        came, exchange = self.came, self._exchange
        if came:
            self.came = b""
            self._take(came)
        elif exchange is not None:
            exchange.step()
        exchange = self._exchange
        return exchange is not None and exchange.is_moving

    def broke(self) -> None:
        """A step of it raised."""
        self.abort()

    def _take(self, data: bytes) -> None:
        if self._phase == _LINGER:
            return
        if self._exchange is not None or self._paused_since_s is not None or self._leftover:
            self._put_by(data)
            return
        intake = self._intake
        request = intake.take(data)
        if request is not None:
            self._answer(request)
            return
        self._feed(data)
        if intake.ready or intake.broken is not None or intake.expects:
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        """The client left, or we let it go."""
        self._door.forget(self)
        self.came = b""
        self._intake.close()
        self._leftover.clear()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()
        self._transport = self.beneath = None  # of TLS it is much, and we are freed only when the collector comes by

    def pause_writing(self) -> None:
        """The client does not read its answer."""
        self._paused_since_s = self._door.now_s
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """It does again."""
        self._paused_since_s = None
        if self._exchange is not None:
            self._exchange.resume()
        else:
            self._advance()

    def _admit(self, request: Request) -> Problem | None:
        """What the head alone says: its id, its endpoint, whose key it has."""
        door, headers = self._door, request.headers
        request.id = sane_id(headers.get(b"x-request-id")) or door.next_id()
        problem = check_head(request, door.limits.body_bytes_max)
        if problem is not None:
            return problem
        if request.endpoint is HEALTH:
            return None
        return self._judge(request)

    def _judge(self, request: Request) -> Problem | None:
        problem = self._door.judge(request)
        return None if problem is None else self._refuse_key(problem)

    def _refuse_key(self, problem: Problem) -> Problem:
        """A wrong key: again and again from one address it is told to wait."""
        if problem.code != problems.WRONG_KEY or self._transport is None:
            return problem
        peer = self._transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) and isinstance(peer[0], str) else ""
        return self._door.guessing.answer(address, self._door.loop.time(), problem)

    def _feed(self, data: bytes) -> None:
        intake = self._intake
        intake.feed(data)
        if intake.reading is not None:
            self._touched_s = self._door.now_s
            if self._phase != _BODY:
                self._phase = _BODY
                self._body_since_s = self._touched_s
        elif not intake.ready and self._phase != _HEAD:
            self._phase = _HEAD
            self._touched_s = self._door.now_s

    def _put_by(self, data: bytes) -> None:
        """Keep bytes of later requests, not without bound."""
        self._leftover += data
        if len(self._leftover) > self._door.limits.pipelined_bytes_max and not self._reading_paused:
            self._reading_paused = True
            if self._transport is not None:
                self._transport.pause_reading()

    def _take_leftover(self) -> bytes:
        data = bytes(self._leftover)
        self._leftover.clear()
        self._read_again()
        return data

    def _read_again(self) -> None:
        if self._reading_paused and self._transport is not None and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def _advance(self) -> None:
        """Answer request after request until one is in work or none is left. It may be called from within itself."""
        if self._advancing:
            return
        self._advancing = True
        intake = self._intake
        while self._exchange is None and self._paused_since_s is None and self._phase != _LINGER:
            if intake.ready:
                self._answer(intake.ready.popleft())
            elif intake.broken is not None:
                self._refuse_connection(intake.broken)
            elif self._leftover:
                self._feed(self._take_leftover())
            else:
                if intake.expects and self._transport is not None:
                    intake.expects = False
                    self._transport.write(wire.CONTINUE)
                break
        self._advancing = False

    def _answer(self, request: Request) -> None:
        transport, endpoint = self._transport, request.endpoint
        if transport is None or transport.is_closing():
            self._door.room.give_back(request)
            return
        if not request.id:
            request.id = self._door.next_id()
        self._phase = _WORK
        if request.judged != self._door.tables and request.entry is not None and request.problem is None:
            request.problem = self._judge(request)  # a new table came while it waited for its turn
        if request.problem is not None or endpoint is None:
            self._refuse(request, request.problem or problems.no_such_path(request.path.decode("latin-1")))
        elif endpoint.action is _RELAY:
            self._exchange = Exchange(self._door, request, endpoint, transport, self._done)
            self._door.requests.join(self)
        else:
            answer = answer_locally(self._door, request, endpoint)
            if isinstance(answer, Problem):
                self._refuse(request, answer)
                return
            kind, body = answer
            keep = request.keep and not self._door.draining
            connection = wire.connection_header(keep=keep, old=request.old)
            extra = wire.anthropic_id(request.id) if request.is_anthropic else b""
            transport.write(
                wire.answer(200, body, kind=kind, request_id=request.id, connection=connection, extra=extra)
            )
            self._door.told(request, 200, "", transport)
            self._answered(keep)

    def _refuse(self, request: Request, problem: Problem) -> None:
        keep = request.keep and not self._door.draining and not problem.closes
        self._write_refusal(problem, request, wire.connection_header(keep=keep, old=request.old))
        self._answered(keep)

    def _refuse_connection(self, problem: Problem) -> None:
        """Say why and close: what follows on this connection cannot be answered."""
        self._write_refusal(problem, self._intake.reading, wire.connection_header(keep=False, old=False))
        self._linger()

    def _write_refusal(self, problem: Problem, request: Request | None, connection: bytes) -> None:
        request_id = self._door.next_id() if request is None else request.id
        bodyless = request is not None and request.method == b"HEAD"
        anthropic = request is not None and request.is_anthropic
        if self._transport is not None:
            self._transport.write(
                wire.refusal(
                    problem, request_id=request_id, connection=connection, bodyless=bodyless, anthropic=anthropic
                )
            )
            self._door.told(request, problem.status, problem.code, self._transport)

    def _answered(self, keep: bool) -> None:  # noqa: FBT001  # the exchange's callback
        """The request in work is done."""
        self._exchange = None
        if not keep or self._door.draining:
            self._linger()
            return
        intake = self._intake
        self._phase = _IDLE if intake.reading is None else _BODY
        self._touched_s = self._body_since_s = self._door.now_s
        if intake.ready or self._leftover or intake.broken is not None or intake.expects:
            self._advance()

    def _linger(self) -> None:
        """Send the end and read on for a moment: closing with unread bytes would reset the connection, answer and all."""
        transport = self._transport
        self._phase = _LINGER
        self._touched_s = self._door.now_s
        self._intake.close()
        self._leftover.clear()
        if transport is not None and not transport.is_closing():
            if transport.can_write_eof():
                transport.write_eof()
                self._read_again()
            else:  # TLS says its end both ways
                self._read_again()
                transport.close()

    def sweep(self, now_s: float) -> None:
        """Act on what took too long."""
        if self._paused_since_s is not None:
            if now_s - self._paused_since_s > self._door.limits.send_stall_s:
                self.abort()
        elif self._exchange is not None:
            self._exchange.sweep(now_s)
        else:
            self._sweep_waiting(now_s - self._touched_s, now_s - self._body_since_s)

    def _sweep_waiting(self, waited_s: float, body_s: float) -> None:
        limits = self._door.limits
        if self._phase == _HEAD and waited_s > limits.head_s:
            self._refuse_connection(problems.too_slow("head", limits.head_s))
        elif self._phase == _BODY and waited_s > limits.body_stall_s:
            self._refuse_connection(problems.too_slow("body", limits.body_stall_s))
        elif self._phase == _BODY and body_s > limits.body_s:
            self._refuse_connection(problems.too_slow("body", limits.body_s))
        elif self._phase == _IDLE and waited_s > limits.idle_s:
            self.leave_if_idle()
        elif self._phase == _LINGER and self._transport is not None:
            unsent = self._transport.get_write_buffer_size()
            if self.beneath is not None:
                unsent += self.beneath.get_write_buffer_size()
            if waited_s > (limits.send_stall_s if unsent else limits.linger_s):
                self.abort()

    def leave_if_idle(self) -> None:
        """Close now if nothing is in work or coming."""
        if self._phase == _IDLE and not self.came and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now, whatever is in work."""
        if self._transport is not None:
            self._transport.abort()
