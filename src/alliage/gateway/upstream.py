"""A connection to an engine: one response parser, one request at a time, kept alive. Knows nothing of clients; who keeps it is `pools`."""

import asyncio
from typing import Final, cast

import httptools

from alliage.gateway import wire
from alliage.gateway.answer_head import NO_HEAD, OK, AnswerHead
from alliage.gateway.cohort import Cohort, Member
from alliage.gateway.heads import Spelling, cut, may_be_known
from alliage.units import MIB, format_bytes

_NO_PIECES: Final = b""
_NEWLINE: Final = ord("\n")
_DRY_BYTES_MAX: Final = MIB
"""Of one answer that are no body and came without any: chunk heads that come alone are many in a long stream."""


class Listener:
    """Whoever asked. Exactly one of `connected` and `unreachable` follows an opening; `lost` is the last call.

    While it `is_moving` after a call of `relay`, `step` is called: what is left to do of that, a step at a time.

    A class and no Protocol: it is told of each token, and a method that is looked up by its name costs as much as the rest of that.
    """

    __slots__ = ()

    @property
    def is_moving(self) -> bool:
        """Whether there is a next step now."""
        return False

    def step(self) -> None:
        """Do the next step."""

    def hurry(self) -> None:
        """Do all steps that are left now."""
        while self.is_moving:
            self.step()

    def broke(self) -> None:
        """A step of it, or what it was told, raised."""

    def connected(self, connection: "UpstreamConnection") -> None:
        """A fresh connection is there; ask on it or close it."""
        raise NotImplementedError

    def unreachable(self, why: str) -> None:
        """No connection could be made."""
        raise NotImplementedError

    def relay(self, connection: "UpstreamConnection", body: bytes, complete: bool) -> None:  # noqa: FBT001  # data path
        """One read's worth of the answer, once its head is complete."""
        raise NotImplementedError

    def relay_chunk(self, chunk: bytes, head_bytes: int) -> bool:
        """One read that is one chunk of an answer that has begun, its head so many bytes; False, and nothing done, where `relay` must have it."""
        raise NotImplementedError

    def lost(self, connection: "UpstreamConnection", why: str) -> None:
        """The connection broke before the answer was complete."""
        raise NotImplementedError


class Owner:
    """Whose connections they are: what all those to one upstream share, and where they go when they are not in use."""

    __slots__ = ("answer", "answers", "heard", "spelling")

    def __init__(self, answers: Cohort) -> None:
        self.answers = answers
        """Those of all upstreams, which are worked on together."""
        self.heard = 0
        """Reads that brought something of an answer, until now."""
        self.spelling: Spelling | None = None
        """Of the head of its last answer, where that is known (`heads`); `answer` is what was read of it."""
        self.answer = NO_HEAD

    @property
    def has_failed(self) -> bool:
        """It failed, and has answered nothing since."""
        raise NotImplementedError

    def answered(self) -> None:
        """It did not only accept."""
        raise NotImplementedError

    def put(self, connection: "UpstreamConnection") -> None:
        """The connection is idle."""
        raise NotImplementedError

    def forget(self, connection: "UpstreamConnection") -> None:
        """The connection is closed."""
        raise NotImplementedError


class UpstreamConnection(Member):
    """One connection; it answers one listener at a time."""

    __slots__ = (
        "_dry_bytes",
        "_head_done",
        "_headers",
        "_is_at_chunk",
        "_is_between",
        "_keep",
        "_kept_pieces",
        "_listener",
        "_owner",
        "_parser",
        "_paused",
        "_pieces",
        "_transport",
        "complete",
        "head",
        "heard",
        "idle_since_s",
        "length",
        "on_body",
        "on_header",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._listener: Listener | None = None
        self._headers: dict[bytes, bytes] = {}
        self._is_between = True  # nothing of the next answer has come
        self._pieces: list[bytes] = []
        self.on_header = self._headers.__setitem__  # bound methods of C types: no Python frame a header or piece
        self.on_body = self._pieces.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._head_done = False
        self._is_at_chunk = False  # the parser has had whole chunks, and nothing of the next one
        self._kept_pieces = 0
        self._dry_bytes = 0
        self._keep = False
        self._paused = False
        self.complete = False
        self.heard = False
        """Whether any byte of the present answer has come."""
        self.head = NO_HEAD
        """Of the present answer, once it is whole; `length` is its body's, -1 where it does not say."""
        self.length = -1
        self.idle_since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine accepted."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it

    @property
    def usable(self) -> bool:
        """Whether it may be asked on."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, listener: Listener, payload: bytes) -> None:
        """Send a whole request; the answer goes to `listener`."""
        self._listener = listener
        self._head_done = self._is_at_chunk = self._keep = self.complete = self.heard = False
        self._headers.clear()  # of trailers
        self._dry_bytes = 0
        if self._transport is not None:
            self._transport.write(payload)

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        parser = self._parser
        if self.complete or parser is None:  # a second answer that nobody asked for
            self._keep = False
            return
        status = parser.get_status_code()
        if self._owner.has_failed:
            self._owner.answered()
        if status >= 200:  # 100 Continue and its like are followed by the answer proper
            self._head_done = True
            self.head = head = AnswerHead(status, self._headers)
            self.length = -1 if head.length is None else int(head.length)
        self._headers.clear()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._head_done and not self.complete and self._parser is not None:
            self.complete = True
            self._kept_pieces = len(self._pieces)
            self._keep = self._parser.should_keep_alive()
            self._is_between = True
            self._is_at_chunk = False

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer. A chunk that passes as it came does so at once."""
        listener = self._listener
        if listener is None or self._parser is None:
            self.drop()
            return
        if self._is_at_chunk and not self.came:  # then one that the parser is not shown changes nothing for it
            head_bytes = wire.chunk_head(data)
            if head_bytes and listener.relay_chunk(data, head_bytes):
                self._owner.heard += 1
                return
        self._owner.answers.brought(self, data)

    def step(self) -> bool:
        """Hand on what came; then it is its listener's turn."""
        came, listener = self.came, self._listener
        try:
            if came:
                self.came = b""
                self._take_in(came)
            elif listener is not None:
                listener.step()
        except Exception:
            if listener is not None:  # which may have let us go by now
                listener.broke()
            raise
        listener = self._listener
        return listener is not None and listener.is_moving

    def broke(self) -> None:
        """A step of it raised."""
        self.drop()

    def _take_in(self, data: bytes) -> None:
        """Parse what came and hand it on in one call."""
        listener = self._listener
        if listener is None or self._parser is None:
            self.drop()
            return
        self.heard = True
        owner = self._owner
        owner.heard += 1
        is_new = self._is_between
        if is_new and owner.spelling is not None:
            length = owner.spelling.length_of(data)
            if length >= 0:
                self._take(owner.answer, length, listener, data[len(data) - length :])
                return
        if not self._parse(self._parser, data):
            return
        if is_new and self._is_between:
            self._learn(data)
        listener.relay(self, self._read(), self.complete)

    def _read(self) -> bytes:
        """What of the body has come; it is taken away."""
        pieces = self._pieces
        if self.complete:
            del pieces[self._kept_pieces :]
        if not pieces:
            return _NO_PIECES
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body

    def on_chunk_header(self) -> None:
        """Called by the parser."""
        self._is_at_chunk = False

    def on_chunk_complete(self) -> None:
        """Called by the parser."""
        self._is_at_chunk = self._head_done and not self.complete

    def _parse(self, parser: httptools.HttpResponseParser, data: bytes) -> bool:
        """Whether there is something to hand on."""
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
            if not self.complete:
                is_wish = isinstance(error, httptools.HttpParserUpgrade)
                self._fail(
                    "it wants to speak another protocol" if is_wish else f"what it answered is not HTTP ({error})"
                )
                return False
            self._keep = False
        if data[len(data) - 1] != _NEWLINE:  # maybe digits of the next chunk's size
            self._is_at_chunk = False
        if not self._pieces and not self.complete and self._is_dry(len(data)):
            return False
        return self._head_done

    def _is_dry(self, size: int) -> bool:
        """Whether heads, chunk heads and trailers alone are more than an answer may have of them: then it has failed."""
        self._dry_bytes += size
        if self._dry_bytes <= _DRY_BYTES_MAX:
            return False
        self._fail(f"it sent more than {format_bytes(_DRY_BYTES_MAX)} of headers")
        return True

    def _take(self, known: AnswerHead, length: int, listener: Listener, body: bytes) -> None:
        """A whole answer with a head that was parsed before."""
        if self._owner.has_failed:
            self._owner.answered()
        self.head = known
        self.length = length
        self._head_done = self._keep = self.complete = True
        listener.relay(self, body, True)

    def _learn(self, data: bytes) -> None:
        """The parser took it, and it came in one read: the next one with this head needs no parsing."""
        if not (self._keep and self.complete and self.head.status == OK):
            return
        whole = cut(data)
        if whole is not None and may_be_known(whole.key):
            self._owner.spelling = whole.spelling
            self._owner.answer = self.head

    def on_message_begin(self) -> None:
        """Called by the parser: something has come of an answer."""
        self._is_between = False

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine closed, or we did."""
        self._parser = None
        self.came = b""
        self._owner.forget(self)
        listener = self._listener
        if listener is None or self.complete:
            return
        if exc is None and self._head_done and not self.head.is_framed:
            self.complete = True
            listener.relay(self, _NO_PIECES, True)
            listener.hurry()
            return
        self._fail("it closed the connection" if exc is None else f"the connection broke ({exc})")

    def _fail(self, why: str) -> None:
        listener = self._listener
        self.drop()
        if listener is not None:
            listener.lost(self, why)

    def pause(self) -> None:
        """Stop reading: whoever is behind the listener does not read either."""
        if not self._paused and self.usable and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self.usable and self._transport is not None:
            self._transport.resume_reading()
        self._paused = False

    def release(self) -> None:
        """The answer was taken whole: keep the connection for the next request if the engine will."""
        self._listener = None
        self.resume()
        if self._keep:  # whoever takes it looks whether it is still open
            self._owner.put(self)
        else:
            self.drop()

    def drop(self) -> None:
        """Close at once; the listener hears nothing more. An engine takes this as cancelling the request."""
        self._listener = None
        if self._transport is not None:
            self._transport.abort()
