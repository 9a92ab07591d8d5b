"""Bytes of one client connection -> requests, in order. Knows limits and refusals by the head; answers and closes nothing."""

from collections import deque
from collections.abc import Callable
from typing import Final

import httptools

from alliage.gateway import problems
from alliage.gateway.handing import lines_of
from alliage.gateway.heads import Cut, cut, may_be_known
from alliage.gateway.known import KnownHeads
from alliage.gateway.limits import SMALL_BODY_BYTES, GatewayLimits
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, head_without_upgrade, spells_twice
from alliage.gateway.room import Room

_CHANGING: Final = frozenset((b"expect", b"upgrade", b"x-request-id", b"traceparent", b"tracestate"))
"""Headers of which each request has another value, or that are done with once."""
Admit = Callable[[Request], Problem | None]
"""Judges a request by its head; sets its id, endpoint and key's owner."""


class Intake:
    """Fed with what comes; whole requests wait in `ready`, and `broken` says why nothing more can be read."""

    __slots__ = (
        "_admit", "_body", "_body_bytes", "_dry_bytes", "_fed_bytes", "_head_least", "_head_most", "_headers", "_heads", "_is_between",
        "_limits", "_parser", "_parts", "_room", "_target", "_unjudged_bytes", "broken", "expects", "on_body", "on_header", "on_url", "reading", "ready",
    )  # fmt: skip

    def __init__(self, limits: GatewayLimits, admit: Admit, room: Room, heads: KnownHeads) -> None:
        """`heads` are those that all connections learned."""
        self._limits = limits
        self._heads = heads
        self._is_between = True  # nothing of the next request has come
        self._admit = admit
        self._room = room
        self._unjudged_bytes = min(limits.body_bytes_max, SMALL_BODY_BYTES)
        self._headers: dict[bytes, bytes] = {}
        self._target: list[bytes] = []
        self._parts: list[bytes] = []
        self._body = bytearray()
        self._body_bytes = 0
        self._dry_bytes = 0  # of this request since its body last grew: chunk heads and trailers
        self._fed_bytes = 0
        self._head_least = 0  # the parser does not say where in a read a head begins: between
        self._head_most = 0  # these two is how much of the present one has come
        self.on_header = self._headers.setdefault  # bound methods of C types: no Python frame a header or piece
        self.on_url = self._target.append
        self.on_body = self._parts.append
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.ready: deque[Request] = deque()
        self.reading: Request | None = None
        """The request whose head is whole and whose body is not."""
        self.expects = False
        """It waits for `100 Continue` before its body comes."""
        self.broken: Problem | None = None

    def take(self, data: bytes) -> Request | None:
        """The one whole request that a read is, where its head is known; None: feed it. It has no id yet."""
        if not self._is_between or self._parser is None or self.broken is not None:
            return None
        return self._heads.take(data, self._unjudged_bytes)

    def feed(self, data: bytes) -> None:
        """Parse one read's worth."""
        parser = self._parser
        if parser is None or self.broken is not None:
            return
        known = self.take(data)
        if known is not None:
            self.ready.append(known)
            return
        whole = cut(data) if self._is_between else None
        self._parse(parser, data)
        if whole is not None and whole.length <= self._unjudged_bytes and self._is_between and self.ready:
            self._learn(whole, self.ready[-1])

    def _parse(self, parser: httptools.HttpRequestParser, data: bytes) -> None:
        before = self.reading
        self._fed_bytes = fed = len(data)
        self._head_most += fed
        if before is None:
            self._head_least += fed
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrades(data, upgrade.args[0])
        except httptools.HttpParserError as error:
            self._break(problems.bad_http(str(error)))
        reading = self.reading
        if reading is not None:
            self._gather(reading, fed if reading is before else 0)
        elif self._head_least > self._limits.head_bytes_max:
            self._break(problems.head_too_large(self._limits.head_bytes_max))

    def _learn(self, whole: Cut, request: Request) -> None:
        """The parser took it: the next one with this head needs no parsing. What closes or waits is not remembered."""
        headers, endpoint = request.headers, request.endpoint
        if endpoint is not None and (endpoint.takes_forms or not endpoint.line):
            return  # each form has a boundary of its own in its head, and where no body is taken its length matters
        if request.problem is None and request.keep and not _CHANGING.intersection(headers) and may_be_known(whole.key):
            head = request.another(b"")
            head.lines = lines_of(headers, None)
            self._heads.learn(whole.spelling, head)

    def on_message_begin(self) -> None:
        """Something has come of another request."""
        self._is_between = False

    def close(self) -> None:
        """Let go of the parser, which holds us, and of what was not answered."""
        self._parser = None
        while self.ready:
            self._room.give_back(self.ready.popleft())
        self._let_go()

    def on_headers_complete(self) -> None:
        """A head is whole: what can be refused by it alone is, before its body is kept."""
        parser = self._parser
        if parser is None:
            return
        headers = {name.lower(): value for name, value in self._headers.items()}
        is_spelled_twice = len(headers) < len(self._headers) and spells_twice(self._headers)
        self._headers.clear()
        target = b"".join(self._target)
        self._target.clear()
        request = Request(
            parser.get_method(),
            target,
            parser.get_http_version(),
            headers,
            parser.should_keep_alive(),
            int(headers.get(b"content-length", 0)),
        )
        self.reading = request
        problem = self._admit(request)
        if is_spelled_twice:
            problem = problems.bad_http("a header came twice, in two spellings")
        limit = self._limits.head_bytes_max
        if self._head_most > limit and _head_bytes(request, target) > limit:
            problem = problems.head_too_large(limit)
        elif problem is None and request.entry is None and request.announced_bytes > SMALL_BODY_BYTES:
            problem = problems.too_early()
        request.problem = problem
        if problem is None:
            self.expects = b"expect" in headers
        elif problem.closes or b"expect" in headers or request.announced_bytes > SMALL_BODY_BYTES:
            request.keep = False
            self._break(problem)

    def on_message_complete(self) -> None:
        """A request is whole."""
        request = self.reading
        if request is None:
            return
        parts = self._parts
        if self._body:
            self._body += b"".join(parts)
            request.body = bytes(self._body)
            self._body = bytearray()
        elif len(parts) == 1:
            request.body = parts[0]
        elif parts:
            request.body = b"".join(parts)
        if len(request.body) > self._unjudged_bytes:
            self._judge_whole(request)
        parts.clear()
        self._headers.clear()  # trailers
        self.reading = None
        self._is_between = True
        self.expects = False
        self._body_bytes = self._dry_bytes = self._head_least = 0
        self._head_most = self._fed_bytes
        self.ready.append(request)

    def _gather(self, request: Request, fed: int) -> None:
        """A body that comes in pieces: counted and joined, or thrown away where the answer is no already.

        `fed` is how much came for it, when none of that was its head. Trailers are never kept.
        """
        self._headers.clear()
        if not self._parts:
            self._dry_bytes += fed
            if self._dry_bytes > self._limits.head_bytes_max:
                self._break(problems.head_too_large(self._limits.head_bytes_max))
            return
        self._dry_bytes = 0
        piece = b"".join(self._parts)
        self._parts.clear()
        self._body_bytes += len(piece)
        problem = self._judge_size(request, self._body_bytes)
        if problem is not None:
            self._break(problem)
        elif request.problem is None:
            self._body += piece

    def _judge_whole(self, request: Request) -> None:
        problem = self._judge_size(request, len(request.body))
        if problem is not None:
            request.problem = problem
            request.keep = False
            request.body = b""
            self._room.give_back(request)

    def _judge_size(self, request: Request, size: int) -> Problem | None:
        """Why a body of so many bytes is not taken, nor the rest of it read."""
        if request.problem is not None:
            return request.problem if size > SMALL_BODY_BYTES else None
        if size > self._limits.body_bytes_max:
            return problems.body_too_large(self._limits.body_bytes_max)
        if size <= SMALL_BODY_BYTES:
            return None
        if request.entry is None:
            return problems.too_early()
        return None if self._room.keep(request, size) else problems.no_room(self._limits.bodies_bytes_max)

    def _ignore_upgrades(self, data: bytes, at: int) -> None:
        """Go on in HTTP/1.1, as a server may: the parser stopped before the body, so it reads the head again without the wish."""
        rest = memoryview(data)
        while self.broken is None:
            request = self.ready.pop() if self.ready else None
            if request is None or request.method == b"CONNECT":
                self._break(problems.bad_http("this is no proxy"))
                return
            self._parser = parser = httptools.HttpRequestParser(self)
            try:
                parser.feed_data(head_without_upgrade(request))
                parser.feed_data(rest[at:])
            except httptools.HttpParserCallbackError:
                raise
            except httptools.HttpParserUpgrade as upgrade:
                at += upgrade.args[0]
            except httptools.HttpParserError as error:
                self._break(problems.bad_http(str(error)))
            else:
                return

    def _break(self, problem: Problem) -> None:
        """Nothing can be read after this; requests that came before are still answered."""
        self.broken = self.broken or problem
        self._let_go()

    def _let_go(self) -> None:
        """Of what was read of a request that will not be whole."""
        self._headers.clear()
        self._target.clear()
        self._parts.clear()
        self._body = bytearray()
        if self.reading is not None:
            self._room.give_back(self.reading)


def _head_bytes(request: Request, target: bytes) -> int:
    """A head's size at least: spaces around values, and names that came twice, are not seen here."""
    lines = sum(len(name) + len(value) + 3 for name, value in request.headers.items())
    return len(request.method) + len(target) + len("  HTTP/1.1\r\n\r\n") + lines
