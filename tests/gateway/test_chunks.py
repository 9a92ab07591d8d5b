"""A chunk that comes in one read passes as it came, and nothing else is other than if it had been read."""

import asyncio
from typing import Final, cast

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alliage.gateway import wire
from alliage.gateway.cohort import Cohort
from alliage.gateway.decoded import Ask
from alliage.gateway.endpoints import Action, Endpoint
from alliage.gateway.kept import Kept
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.passing import Passing
from alliage.gateway.pools import Pool, Watch
from alliage.gateway.request import Request
from alliage.gateway.sse import EVENT
from alliage.gateway.upstream import Listener, UpstreamConnection
from alliage.units import MIB
from tests.conftest import examples
from tests.gateway.house import upstream
from tests.gateway.upstream import DONE, event, usage_event

_CHAT: Final = Endpoint(path=b"/v1/chat/completions", method=b"POST", action=Action.RELAY, streams=True)
_WITHOUT_USAGE: Final = b'{"model":"m","stream":true}'
_WITH_USAGE: Final = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Client(Listener):
    """An exchange as far as an engine's connection sees it: what the client got, and how many chunks passed as they came."""

    def __init__(self, *, takes_chunks: bool, remove: bool, chunked: bool = True) -> None:
        self._takes_chunks, self._version = takes_chunks, "1.1" if chunked else "1.0"
        self._ask = msgspec.json.decode(_WITHOUT_USAGE if remove else _WITH_USAGE, type=Ask)
        self.kept = Kept(MIB)
        self.passing: Passing | None = None
        self.got = b""
        self.events = 0
        self.unread = 0
        self.end = ""

    def connected(self, connection: UpstreamConnection) -> None:
        raise NotImplementedError

    def unreachable(self, why: str) -> None:
        raise NotImplementedError

    def relay_chunk(self, chunk: bytes, head_bytes: int) -> bool:
        events = self.passing.take_chunk(chunk, head_bytes) if self._takes_chunks and self.passing is not None else 0
        if events:
            self.unread += 1
            self.got += chunk
            self.events += events
        return events > 0

    def relay(self, connection: UpstreamConnection, body: bytes, complete: bool) -> None:  # noqa: FBT001 - its protocol
        if self.passing is None:
            request = Request(b"POST", _CHAT.path, self._version, {}, True, 0)
            request.body = b"{}"
            self.passing = Passing(connection, request, _CHAT, self._ask, keep=True, rehearsed=False, kept=self.kept)
        out = self.passing.take(body, complete)
        self.got += out
        self.events += out.count(EVENT)
        if complete:
            self.end = "whole"
            connection.release()

    def lost(self, connection: UpstreamConnection, why: str) -> None:
        self.end = why


class _Transport(asyncio.Transport):
    """Takes what is written; tells whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut = False

    def is_closing(self) -> bool:
        return self.is_cut

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.is_cut = True


def _played(reads: list[bytes], client: _Client) -> tuple[object, ...]:
    """All that is to be seen of an answer that came in these reads."""
    loop = asyncio.new_event_loop()
    try:
        pool = Pool(upstream("a", 1), loop, GatewayLimits(), cast(Watch, None), Cohort(lambda work: work()))
    finally:
        loop.close()
    connection, transport = UpstreamConnection(pool), _Transport()
    connection.connection_made(transport)
    connection.ask(client, b"")
    for read in reads:
        if read and not transport.is_cut:
            connection.data_received(read)
    passing = client.passing
    told = None if passing is None else (passing.counts(), passing.kept(), passing.continuation() is None)
    return client.got, client.events, client.end, told, transport.is_cut, pool.take() is connection


_EVENTS: Final = st.lists(
    st.sampled_from([
        event("a"), event("b" * 300), event('"usage"'), event("x", usage=None), event("y", usage={"prompt_tokens": 2}), usage_event(), DONE,
        b": ping\n\n", b"\n", b"data: x\r\n\r\n", b"event: e\ndata: {}\n\n", b"data: 1\ndata: 2\n\n", event("z")[:9], b"data: " + b"l" * 1100 + b"\n\n",
    ]),
    min_size=1, max_size=3,
).map(b"".join)  # fmt: skip


@st.composite
def _chunks(draw: st.DrawFn) -> bytes:
    """One chunk, mostly as engines write it."""
    data = draw(_EVENTS)
    head = draw(st.sampled_from([b"%x", b"%x", b"%x", b"%X", b"0%x", b"%x;a=b", b"%x;a", b"1%x", b" %x"])) % len(data)
    return head + b"\r\n" + data + draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b""]))


def _cut(chunks: list[bytes], places: list[int]) -> list[bytes]:
    """Reads: a chunk each, but cut and joined at some places."""
    reads: list[bytes] = []
    for at, chunk in enumerate(chunks):
        kind = places[at % len(places)] if places else 0
        if kind % 3 == 1:
            middle = kind % (len(chunk) + 1)
            reads += [chunk[:middle], chunk[middle:]]
        elif kind % 3 == 2 and reads:
            reads[-1] += chunk
        else:
            reads.append(chunk)
    return reads


@settings(deadline=None, max_examples=examples(200))
@given(
    chunks=st.lists(_chunks(), min_size=1, max_size=8),
    places=st.lists(st.integers(0, 3000), max_size=9),
    with_head=st.booleans(),
    is_whole=st.booleans(),
    remove=st.booleans(),
    chunked=st.booleans(),
)
@example(chunks=[wire.chunk(event("a"))] * 4, places=[], with_head=False, is_whole=True, remove=True, chunked=True)
def test_a_chunk_that_passes_as_it_came_changes_nothing_else(
    chunks: list[bytes], places: list[int], *, with_head: bool, is_whole: bool, remove: bool, chunked: bool
) -> None:
    """Right streams and lying ones, in whatever reads: the client's bytes, the events, the counts, what is kept and the end are the same."""
    reads = _cut([*chunks, *([wire.LAST_CHUNK] if is_whole else [])], places)
    reads = [_HEAD + reads[0], *reads[1:]] if with_head else [_HEAD, *reads]
    as_it_came, read = (
        _played(reads, _Client(takes_chunks=takes, remove=remove, chunked=chunked)) for takes in (True, False)
    )
    assert as_it_came == read


def test_all_tokens_but_the_first_pass_as_they_came() -> None:
    """So it is what a stream costs: an engine that sends a chunk for each token, and tells usage at the end."""
    tokens = [wire.chunk(event(letter)) for letter in "abcdef"]
    client = _Client(takes_chunks=True, remove=True)
    _played([_HEAD, *tokens, wire.chunk(usage_event()) + wire.chunk(DONE) + wire.LAST_CHUNK], client)
    assert client.unread == len(tokens) - 1
    assert client.got.endswith(b"".join(tokens) + wire.chunk(DONE) + wire.LAST_CHUNK)
    assert client.passing is not None
    assert client.passing.counts() == (3, 4, 0)


@pytest.mark.parametrize("size", [1, 15, 16, 255, 256, 1023])
def test_a_small_chunk_is_known_by_its_length(size: int) -> None:
    """Its head is told for what `chunk` makes of so many bytes, and for nothing that is a byte longer, shorter or other."""
    chunk = wire.chunk(b"d" * size)
    head = chunk[: -size - 2]
    assert wire.chunk_head(chunk) == len(head)
    for other in (chunk[1:], chunk[:-1], chunk + b"\n", b"0" + chunk, chunk[:-2] + b"\n\n", b"g" + chunk[1:]):
        assert wire.chunk_head(other) == 0


def test_what_is_no_small_chunk_is_read() -> None:
    """The last chunk, none at all, and one that is longer than those that are known."""
    for other in (b"", wire.LAST_CHUNK, b"0\r\n\r\n\r\n", wire.chunk(b"d" * 1024), wire.chunk(b"d" * 5000)):
        assert wire.chunk_head(other) == 0


def test_pieces_that_are_kept_stay_whole() -> None:
    """More of them than are kept loose: what was said is what passed, and is given back to the last byte."""
    client = _Client(takes_chunks=True, remove=True)
    tokens = [event(f"t{number}") for number in range(100)]
    _played([_HEAD, *map(wire.chunk, tokens)], client)
    assert client.passing is not None
    assert client.passing.kept() == (b"{}", b"".join(tokens))
    assert client.kept.kept_bytes >= len(b"".join(tokens))
    client.passing.let_go()
    assert client.kept.kept_bytes == 0
