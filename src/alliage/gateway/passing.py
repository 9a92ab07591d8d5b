"""An engine's answer as the client gets it: head, framing, the usage taken note of. Bytes in, bytes out."""

from typing import Final

from alliage.fleet.routing import REHEARSAL_HEADER
from alliage.gateway import problems, wire
from alliage.gateway.answer_head import AnswerHead
from alliage.gateway.body import USAGE_BYTES_MAX, find_usage, read_usage
from alliage.gateway.continuing import BODY_BYTES_MAX, KEPT_BYTES_MAX, Continuation, Joining, continuation_of
from alliage.gateway.counts import NOTHING, Counts
from alliage.gateway.decoded import Ask
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.kept import Kept
from alliage.gateway.request import Request
from alliage.gateway.sse import EVENT, UsageTap
from alliage.gateway.upstream import UpstreamConnection
from alliage.units import KIB, MIB

_REHEARSED: Final = f"{REHEARSAL_HEADER}: true\r\n".encode()
_CHAT: Final = b"/v1/chat/completions"
_BLOCK_BYTES: Final = 4 * KIB
"""Room for what is kept is asked for in blocks, not for each token."""
_LOOSE_MAX: Final = 32
"""Pieces of what is kept that are not put together yet: the space around them is bounded, and no byte is copied twice."""
_NEWLINE: Final = b"\n"
_DATA: Final = b"data:"
_USAGE_BODY_BYTES_MAX: Final = MIB
"""A larger JSON answer is not kept to read its usage: that is looked for as it passes."""


class Passing:
    """One answer that has begun. `keep` is whether the client's connection may be used after it."""

    __slots__ = (
        "_anthropic_id", "_asked", "_chunked", "_end", "_granted_bytes", "_joining", "_kept", "_kept_bytes", "_loose", "_model", "_pieces", "_said",
        "_said_bytes", "_tap", "_told", "head", "keep", "status",
    )  # fmt: skip

    def __init__(
        self,
        connection: UpstreamConnection,
        request: Request,
        endpoint: Endpoint,
        ask: Ask,
        *,
        keep: bool,
        rehearsed: bool,
        kept: Kept,
        extra: bytes = b"",
    ) -> None:
        """`kept` has room for the request and what is said, so that another replica can go on with the answer.

        `extra` are whole header lines.
        """
        self._kept = kept
        self._asked = b""
        self._granted_bytes = self._said_bytes = self._loose = 0
        self._said: list[bytes] | None = None
        body = request.body
        if ask.stream and endpoint.path == _CHAT and len(body) <= BODY_BYTES_MAX and kept.keep(len(body)):
            self._asked = body
            self._said = []
        self._joining: Joining | None = None
        self._model = ask.model
        self._tap: UsageTap | None = None
        self._pieces: list[bytes] | None = None
        self._kept_bytes = 0
        self._end: bytes | None = None
        self._told: Counts = NOTHING
        self._anthropic_id = b""
        self._chunked = False
        self.keep = keep
        head = connection.head
        self.status = status = head.status
        if head.is_events:
            if head.encoding is None:
                self._tap = UsageTap(remove=endpoint.streams and not ask.wants_usage)
        elif status == 200 and head.encoding is None:
            self._pieces = []
        framing = self._framing(head, -1 if head.is_events else connection.length, request)
        self.head = b"%b%bX-Request-Id: %b\r\n%b%b%b\r\n" % (
            head.lines, framing, request.id, wire.connection_header(keep=self.keep, old=request.old), _REHEARSED if rehearsed else b"", extra,
        )  # fmt: skip
        if endpoint.is_anthropic:
            self._anthropic_id = request.id
            self.head = self.head[:-2] + wire.anthropic_id(request.id) + b"\r\n"

    def _framing(self, head: AnswerHead, length: int, request: Request) -> bytes:
        """The header that says where the body ends, -1 for a length that may change; b"" where the connection's end does, or there is no body."""
        if length >= 0:
            return b"Content-Length: %d\r\n" % length
        if head.status in {204, 304}:
            return b""
        if request.old:
            self.keep = False
            return b""
        self._chunked = True
        return b"Transfer-Encoding: chunked\r\n"

    @property
    def streams(self) -> bool:
        """Whether it is an event stream."""
        return self._tap is not None

    def take(self, body: bytes, complete: bool) -> bytes:  # noqa: FBT001  # data path
        """What goes to the client for this piece of the engine's body; the head goes with the first."""
        tap = self._tap
        if tap is not None:
            if self._joining is not None:
                body = self._joining.feed(body)
                complete = complete or self._joining.is_over
            else:
                body = tap.feed(body)
                if complete:
                    body += tap.finish()
            if self._said is not None and body:
                self._keep_said(self._said, body)
        elif self._pieces is not None:
            self._keep_for_usage(self._pieces, body)
        elif self._end is not None:
            self._look_for_usage(self._end + body)
        if self._chunked:
            out = self.head + wire.chunk(body) if self.head else wire.chunk(body)
            if complete:
                out += wire.LAST_CHUNK
        else:
            out = self.head + body
        self.head = b""
        return out

    def take_chunk(self, chunk: bytes, head_bytes: int) -> int:
        """How many events are in one whole chunk that may go to the client as it came; 0 where `take` must have what is in it."""
        tap = self._tap
        if tap is None or not self._chunked or self._joining is not None or len(self.head) > 0:
            return 0
        body = chunk[head_bytes : len(chunk) - 2]
        if not tap.passes(body):
            return 0
        is_one_line = body.find(_NEWLINE) == len(body) - 2 and body.startswith(_DATA)
        events = 1 if is_one_line else chunk.count(EVENT)
        if events and self._said is not None:
            self._keep_said(self._said, body)
        return events

    @property
    def is_over(self) -> bool:
        """Whether nothing more is wanted of the engine: the answer was continued, and a stop string ended it."""
        return self._joining is not None and self._joining.is_over

    def continuation(self) -> Continuation | None:
        """How another replica can go on with the answer; None where it cannot."""
        said = self._said
        if not said or self._tap is None or self._tap.inside:
            return None
        return continuation_of(self._asked, b"".join(said))

    def let_go(self) -> None:
        """Of what was kept; from now on it cannot be continued. May be told twice."""
        if self._said is not None:
            self._kept.give_back(len(self._asked) + self._granted_bytes)
        self._said = None
        self._asked = b""

    def join(self, what: Continuation, *, says_usage: bool) -> None:
        """From now on another replica's stream is fed."""
        self._joining = Joining(what, says_usage=says_usage)

    def end(self, finish: str) -> bytes:
        """The end of a continued stream of which no engine has to say more; `join` came before."""
        body = b"" if self._joining is None else self._joining.ending(finish)
        return wire.chunk(body) + wire.LAST_CHUNK if self._chunked else body

    def break_off(self, why: str) -> bytes | None:
        """The end of a stream whose engine failed: an error event; None where only closing can tell."""
        if self._tap is None:
            return None
        problem = problems.upstream_failed(self._model, why)
        if self._anthropic_id:
            event = b"event: error\ndata: %b\n\n" % problem.anthropic_body(self._anthropic_id)
        else:
            event = b"data: %b\n\n" % problem.body()
        if self._tap.inside:
            event = b"\n\n" + event
        return wire.chunk(event) + wire.LAST_CHUNK if self._chunked else event

    def counts(self) -> Counts:
        """Prompt, completion and cached tokens as the engine told them, zeros where it did not."""
        if self._joining is not None:  # what the second engine had of the prompt is its own affair
            return self._joining.prompt_tokens, self._joining.completion_tokens, 0
        if self._tap is not None:
            return self._tap.counts
        pieces = self._pieces
        if pieces:
            self._told = read_usage(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            self._pieces = None  # asked twice, read once
        return self._told

    def kept(self) -> tuple[bytes, bytes]:
        """The request, and what was passed of the stream so far; empty where they are not kept."""
        said = self._said
        return (b"", b"") if said is None else (self._asked, b"".join(said))

    def _keep_said(self, said: list[bytes], body: bytes) -> None:
        self._said_bytes += len(body)
        more = self._said_bytes - self._granted_bytes
        if more > 0:
            block = max(more, _BLOCK_BYTES)
            if self._granted_bytes + more > KEPT_BYTES_MAX or not self._kept.keep(block):
                self.let_go()
                return
            self._granted_bytes += block
        said.append(body)
        self._loose += 1
        if self._loose == _LOOSE_MAX:
            said[-_LOOSE_MAX:] = [b"".join(said[-_LOOSE_MAX:])]
            self._loose = 0

    def _keep_for_usage(self, pieces: list[bytes], body: bytes) -> None:
        pieces.append(body)
        self._kept_bytes += len(body)
        if self._kept_bytes > _USAGE_BODY_BYTES_MAX:
            self._pieces = None
            self._look_for_usage(b"".join(pieces))

    def _look_for_usage(self, passing: bytes) -> None:
        """In this piece of a large answer, which begins with the end of the last one."""
        self._told = find_usage(passing) or self._told
        self._end = passing[-USAGE_BYTES_MAX:]
