"""Bytes of one client connection -> requests, in order. Knows limits and refusals by the head; answers and closes nothing."""

from collections import deque
from collections.abc import Callable
from typing import Final

import httptools

from alliage.gateway import problems
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request

_HEAD_END: Final = b"\r\n\r\n"
Admit = Callable[[Request], Problem | None]
"""Judges a request by its head; sets its id, endpoint and key's owner."""


class Intake:
    """Fed with what comes; whole requests wait in `ready`, and `broken` says why nothing more can be read."""

    __slots__ = (
        "_admit", "_body", "_head_bytes", "_head_tail", "_headers", "_limits", "_parser", "_parts", "_target", "broken", "expects",
        "on_body", "on_header", "on_url", "reading", "ready",
    )  # fmt: skip

    def __init__(self, limits: GatewayLimits, admit: Admit) -> None:
        self._limits = limits
        self._admit = admit
        self._headers: dict[bytes, bytes] = {}
        self._target: list[bytes] = []
        self._parts: list[bytes] = []
        self._body = bytearray()
        self._head_bytes = 0
        self._head_tail = b""
        self.on_header = self._headers.__setitem__  # bound methods of C types: no Python frame a header or piece
        self.on_url = self._target.append
        self.on_body = self._parts.append
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.ready: deque[Request] = deque()
        self.reading: Request | None = None
        """The request whose head is whole and whose body is not."""
        self.expects = False
        """It waits for `100 Continue` before its body comes."""
        self.broken: Problem | None = None

    def feed(self, data: bytes) -> None:
        """Parse one read's worth."""
        parser = self._parser
        if parser is None or self.broken is not None:
            return
        if self.reading is None and self._head_too_large(data):
            self._break(problems.head_too_large(self._limits.head_bytes_max))
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._break(problems.bad_http(str(error)))
        if self.reading is not None:
            self._gather(self.reading)

    def close(self) -> None:
        """Let go of the parser, which holds us, and of what was not answered."""
        self._parser = None
        self.ready.clear()

    def on_headers_complete(self) -> None:
        """A head is whole: what can be refused by it alone is, before its body is kept."""
        parser = self._parser
        if parser is None:
            return
        headers = {name.lower(): value for name, value in self._headers.items()}
        self._headers.clear()
        target = b"".join(self._target)
        self._target.clear()
        request = Request(
            parser.get_method(), target, parser.get_http_version(), headers, keep=parser.should_keep_alive()
        )
        self.reading = request
        problem = request.problem = self._admit(request)
        if problem is None:
            self.expects = b"expect" in headers
        elif problem.closes or b"expect" in headers:
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
        if len(request.body) > self._limits.body_bytes_max and request.problem is None:
            request.problem = problems.body_too_large(self._limits.body_bytes_max)
        parts.clear()
        self._headers.clear()  # trailers
        self.reading = None
        self.expects = False
        self._head_bytes = 0
        self._head_tail = b""
        self.ready.append(request)

    def _head_too_large(self, data: bytes) -> bool:
        """Counts a head that comes in pieces; exact about where it ends, because a body may follow in the same piece."""
        limit, before = self._limits.head_bytes_max, self._head_bytes
        self._head_bytes = before + len(data)
        if self._head_bytes <= limit:
            self._head_tail = data[-3:] if len(data) >= 3 else (self._head_tail + data)[-3:]
            return False
        end = (self._head_tail + data).find(_HEAD_END)
        return end < 0 or before - len(self._head_tail) + end > limit

    def _gather(self, request: Request) -> None:
        """A body that comes in pieces: counted and joined, or thrown away where the answer is no already."""
        if not self._parts:
            return
        if request.problem is None:
            self._body += b"".join(self._parts)
        self._parts.clear()
        if len(self._body) > self._limits.body_bytes_max:
            self._body = bytearray()
            self._break(problems.body_too_large(self._limits.body_bytes_max))

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1, as a server may: the parser stopped before the body, so it reads the head again without the wish."""
        request = self.ready.pop() if self.ready else None
        if request is None or request.method == b"CONNECT":
            self._break(problems.bad_http("this is no proxy"))
            return
        headers = {name: value for name, value in request.headers.items() if name not in {b"upgrade", b"connection"}}
        lines = b"".join(b"%b: %b\r\n" % item for item in headers.items())
        self._parser = httptools.HttpRequestParser(self)
        self.feed(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (request.method, request.path, lines, rest))

    def _break(self, problem: Problem) -> None:
        """Nothing can be read after this; requests that came before are still answered."""
        self.broken = self.broken or problem
