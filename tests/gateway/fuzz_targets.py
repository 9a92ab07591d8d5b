"""What the fuzzer feeds: each target takes any bytes and raises AssertionError where a promise of the edge is broken.

The promises: nothing raises; how bytes are cut changes nothing; what another reader of the same format refuses or reads
differently we do not take, but for the exceptions that are named here.
"""

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random
from typing import Any, Final

import h11

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway import wire
from alliage.gateway.body import read_ask, with_usage
from alliage.gateway.cohort import Cohort
from alliage.gateway.counts import Counts
from alliage.gateway.decoded import Ask
from alliage.gateway.intake import Intake
from alliage.gateway.known import KnownHeads
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.pools import Pool
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, check_head
from alliage.gateway.room import Room
from alliage.gateway.sse import UsageTap
from alliage.gateway.upstream import Listener, UpstreamConnection

Read = tuple[bytes, bytes, bytes]
"""Method, target and body of one request."""
_LIMITS: Final = GatewayLimits()
_TAKEN_ALL_THE_SAME: Final = re.compile(r"multiple Host|illegal request line|no request line")
"""What h11 refuses and we take: a second Host (nothing goes by it), several spaces or a wider target in the request line, and
empty lines in front of one."""
_PREFACE: Final = b"PRI"
"""How HTTP/2 begins, two heads that are refused when they are whole, while h11 takes the first for a request of its own."""


def pieces_of(data: bytes) -> list[bytes]:
    """Cut at places that depend on nothing but the bytes."""
    random = Random(zlib.crc32(data))
    places = sorted({random.randint(0, len(data)) for _ in range(random.choice((1, 3, 12)))} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def intake(data: bytes) -> None:
    """A client's bytes: cut anywhere they are the same requests, and the same that h11 reads."""
    ours, end = our_requests([data])
    assert (ours, end) == our_requests(pieces_of(data)), "cutting changes what is read"
    theirs, their_end = _h11_requests(data)
    for one, other in zip(ours, theirs, strict=False):
        may_differ = b"upgrade" in data.lower()  # its head is read again, without the query that nobody goes by
        assert (one[0], one[2]) == (other[0], other[2]), f"we read {one}, h11 reads {other}"
        assert one[1] == other[1] or may_differ, f"we read {one}, h11 reads {other}"
    if len(ours) > len(theirs):
        assert _TAKEN_ALL_THE_SAME.search(their_end), f"we take {ours[len(theirs)]}, h11 does not: {their_end}"
    elif len(theirs) > len(ours) and not _TAKEN_ALL_THE_SAME.search(their_end):
        missing = theirs[len(ours)]
        assert end != "waits" or missing[0] == _PREFACE, f"we wait for more, h11 has {missing}"


def our_requests(pieces: list[bytes], heads: KnownHeads | None = None) -> tuple[list[Read], str]:
    """What could be answered, in order, and why it ends: `waits`, `closes`, or a code. `heads` are what was learned before."""
    targets: dict[Request, bytes] = {}

    def admit(request: Request) -> Problem | None:
        targets[request] = request.path
        problem = check_head(request, _LIMITS.body_bytes_max)
        return problem if problem is not None and problem.closes and problem.code != "body_not_taken" else None

    reader = Intake(_LIMITS, admit, Room(_LIMITS.bodies_bytes_max), KnownHeads() if heads is None else heads)
    found: list[Read] = []
    for piece in pieces:
        reader.feed(piece)
        while reader.ready:
            request = reader.ready.popleft()
            if request.problem is not None:
                return found, request.problem.code
            found.append((request.method, targets.get(request, request.path), request.body))
            if not request.keep:
                return found, "closes"
        if reader.broken is not None:
            return found, reader.broken.code
    return found, "waits"


def _h11_requests(data: bytes) -> tuple[list[Read], str]:
    """The same by h11, every request answered with a refusal."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    found: list[Read] = []
    method, target, body = b"", b"", b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            return found, f"refused: {error}"
        if isinstance(event, h11.Request):
            method, target, body = event.method, event.target, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            found.append((method, target, body))
            connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE:
                return found, "closes"
            connection.start_next_cycle()
        else:
            return found, "waits"


def heads(data: bytes) -> None:
    """Messages, a read each, `|||` between them: a head that was parsed before is what it would be if it never was."""
    known = KnownHeads()
    pool = Pool(_UPSTREAM, _loop, _LIMITS, _Watch(), Cohort(lambda work: work()))
    messages = data.split(SEPARATOR)
    in_two = [part for message in messages for part in (message[:1], message[1:]) if part]
    assert our_requests(messages) == our_requests(in_two), "of one connection, whose last head is known"
    for message in messages:
        assert our_requests([message], known) == our_requests([message]), f"learned: {len(known)}"
        assert _our_answer([message], pool) == _our_answer([message]), f"learned: {pool.spelling is not None}"


def ask(data: bytes) -> None:
    """A request's body: what we read of it is what `json` reads, and asking for usage changes nothing else."""
    told = read_ask(data)
    if isinstance(told, Problem):
        assert told.status == 400
        return
    try:
        known = json.loads(data)
    except RecursionError:
        return
    except ValueError as error:
        if "integer string conversion" in str(error):
            return
        raise AssertionError(f"we take it, json does not: {error}") from error
    _same(told, known)
    asked = json.loads(with_usage(data, told))
    assert asked.pop("stream_options")["include_usage"] is True
    known.pop("stream_options", None)
    assert repr(asked) == repr(known), "asking for usage changed something else"


def _same(told: Ask, known: Any) -> None:
    assert told.model == known["model"]
    assert told.stream == known.get("stream")


def sse(data: bytes) -> None:
    """A stream of events: cut anywhere it passes the same; all of it where usage was asked for; else without events of usage."""
    for remove in (False, True):
        whole, cut = _passed([data], remove=remove), _passed(pieces_of(data), remove=remove)
        assert whole == cut, "cutting changes what passes"
        if not remove:
            assert whole[0] == data, "a byte was changed"
        elif b'"usage"' not in data:
            assert whole[0] == data, "an event without usage was taken out"
        assert len(whole[0]) <= len(data)


def _passed(pieces: list[bytes], *, remove: bool) -> tuple[bytes, Counts]:
    tap = UsageTap(remove=remove)
    passed = b"".join(map(tap.feed, pieces)) + tap.finish()
    return passed, tap.counts


class _Transport(asyncio.Transport):
    """Takes what is written and is closed when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut = False

    def is_closing(self) -> bool:
        return self.is_cut

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.is_cut = True


class _Listener(Listener):
    """Whoever asked: keeps what came."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 0
        self.told: tuple[bytes, int] | None = None
        self.end = ""

    def connected(self, connection: UpstreamConnection) -> None:
        raise NotImplementedError

    def unreachable(self, why: str) -> None:
        raise NotImplementedError

    def relay(self, connection: UpstreamConnection, body: bytes, complete: bool) -> None:  # noqa: FBT001 - its protocol
        assert not self.end, "something came after the end"
        self.body += body
        self.status = connection.head.status
        told = (connection.head.lines, connection.length)
        assert self.told in {None, told}, "the head changed after the answer had begun"
        self.told = told
        if complete:
            self.end = "whole"
            connection.release()

    def relay_chunk(self, chunk: bytes, head_bytes: int) -> bool:
        assert not self.end, "something came after the end"
        body = chunk[head_bytes:-2]
        assert chunk == wire.chunk(body), "what passes as it came is no chunk of ours"
        if len(body) % 3 == 0:  # some listeners want to have it read, now and then
            return False
        self.body += body
        return True

    def lost(self, connection: UpstreamConnection, why: str) -> None:
        assert not self.end, "two ends"
        self.end = "lost"


class _Watch:
    def accepted(self, pool: Pool) -> None:
        pass

    def reached(self, pool: Pool) -> None:
        pass

    def missed(self, pool: Pool) -> None:
        pass


SEPARATOR: Final = b"|||"
_CHUNK_BEGINS: Final = re.compile(rb"(?<=\r\n)(?=[0-9a-fA-F]+\r\n)")
_UPSTREAM: Final = Upstream(replica=ReplicaId("r"), host="h", port=1, key="k", concurrency=1)
_loop: Final = asyncio.new_event_loop()
_loop.close()  # only its clock is asked


def answer(data: bytes) -> None:
    """An engine's bytes and its end: one end, cut anywhere the same, and a whole answer is the one that h11 reads."""
    ours = _our_answer([data])
    assert ours == _our_answer(pieces_of(data)), "cutting changes what is read"
    assert ours == _our_answer(_CHUNK_BEGINS.split(data)), "a chunk in one read is another one"
    status, body, end = ours
    if not end.startswith("whole"):
        return
    their_status, their_body, their_end = _h11_answer(data)
    if their_end == "whole":
        assert (status, body) == (their_status, their_body), f"h11 reads {their_status} {their_body!r}"


def _our_answer(pieces: list[bytes], pool: Pool | None = None) -> tuple[int, bytes, str]:
    listener, transport = _Listener(), _Transport()
    connection = UpstreamConnection(pool or Pool(_UPSTREAM, _loop, _LIMITS, _Watch(), Cohort(lambda work: work())))
    connection.connection_made(transport)
    connection.ask(listener, b"")
    for piece in pieces:
        if piece and not transport.is_cut:
            connection.data_received(piece)
    connection.connection_lost(None)
    if listener.end == "whole":
        return listener.status, listener.body, f"whole {listener.told}"
    return 0, b"", listener.end  # how much came before it broke depends on how it came


def _h11_answer(data: bytes) -> tuple[int, bytes, str]:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, body, "whole"
            elif not isinstance(event, h11.InformationalResponse):
                return status, body, "lost"
    except h11.RemoteProtocolError as error:
        return status, body, f"refused: {error}"


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "intake": intake,
    "heads": heads,
    "ask": ask,
    "sse": sse,
    "answer": answer,
}
