"""Bytes to requests: however they are cut, the same requests come out; whatever comes, nothing raises and little is kept."""

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry
from alliage.gateway.intake import Admit, Intake
from alliage.gateway.known import KnownHeads
from alliage.gateway.limits import SMALL_BODY_BYTES, GatewayLimits
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, check_head
from alliage.gateway.room import Room
from alliage.units import KIB, MIB
from tests.gateway.house import get, post

_LIMITS = GatewayLimits(head_bytes_max=400, body_bytes_max=300)


def _admit(request: Request) -> Problem | None:
    return check_head(request, _LIMITS.body_bytes_max)


def _admit_unknown(request: Request) -> Problem | None:
    """With the limits there are by default, while no table says whose key it has."""
    return check_head(request, GatewayLimits().body_bytes_max)


def _admit_known(request: Request) -> Problem | None:
    """As if its key were known."""
    request.entry = KeyEntry(key=KeyId("k"), tenant="house", role=Role.USER)
    return _admit_unknown(request)


def _intake(limits: GatewayLimits = _LIMITS, admit: Admit = _admit, room: Room | None = None) -> Intake:
    return Intake(limits, admit, room or Room(limits.bodies_bytes_max), KnownHeads())


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces, start = [], 0
    for size in sizes:
        piece = body[start : start + size]
        start += size
        pieces.append(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
    rest = body[start:]
    return head + b"".join(pieces) + (b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n"


_REQUESTS = st.one_of(
    st.just(get("/health")),
    st.binary(max_size=300).map(post),
    st.binary(max_size=300).map(lambda body: post(body, key=None, extra="Connection: Upgrade\r\nUpgrade: h2c\r\n")),
    st.builds(_chunked, st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=5)),
    st.just(get("/health", extra=f"X: {'x' * 500}\r\n")),
    st.just(post(b"x" * 301)),
    st.just(post(b"x", extra="Transfer-Encoding: chunked\r\n")),
    st.binary(min_size=1, max_size=40),
)


def _read(stream: bytes, places: list[int]) -> tuple[list[tuple[bytes, bytes, bytes]], str]:
    """Method, path and body of the requests that can be answered, and why the rest cannot be read."""
    intake = _intake()
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    requests: list[tuple[bytes, bytes, bytes]] = []
    for start, end in pairwise(edges):
        intake.feed(stream[start:end])
        while intake.ready:  # as the connection does: what follows a refusal that closes is never looked at
            request = intake.ready.popleft()
            if request.problem is not None and request.problem.closes:
                return requests, request.problem.code
            requests.append((request.method, request.path, request.body))
        if intake.broken is not None:
            return requests, intake.broken.code
    return requests, ""


@settings(deadline=None)
@given(st.lists(_REQUESTS, max_size=5), st.lists(st.integers(0, 3000), max_size=20))
def test_cutting_changes_nothing(raws: list[bytes], places: list[int]) -> None:
    """A stream of good, large and malformed requests reads the same in one piece as in many."""
    stream = b"".join(raws)
    whole, broken = _read(stream, [])
    cut, broken_cut = _read(stream, places)
    assert (cut, broken_cut) == (whole, broken)


_CHUNKED_HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_PIECES = st.one_of(
    st.binary(min_size=1, max_size=50),
    st.sampled_from(
        [
            get("/health"), b"GET /", b"X: " + b"x" * 90, b"\r\nA: b", b"\r\n", b"\r\n\r\n", _CHUNKED_HEAD, b"0\r\n", b"1\r\nx\r\n",
            b"a;" + b"e" * 90, b"60\r\n" + b"x" * 96 + b"\r\n", b"t: " + b"v" * 90, post(b"x" * 300)[:-150], b"y" * 100,
            get("/health", extra="Connection: upgrade\r\nUpgrade: x\r\n"),
        ]
    ),
)  # fmt: skip


def _kept_bytes(intake: Intake) -> int:
    """Everything that an intake holds of requests that are not whole."""
    headers = sum(len(name) + len(value) for name, value in intake._headers.items())
    pieces = sum(map(len, intake._parts)) + sum(map(len, intake._target))
    return headers + pieces + len(intake._body)


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=60))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    """Nothing that comes over a socket can raise out of the reader, and what it keeps stays within head and body limits."""
    intake = _intake()
    bound = _LIMITS.head_bytes_max + _LIMITS.body_bytes_max
    for piece in pieces:
        intake.feed(piece)
        assert _kept_bytes(intake) <= bound + len(piece)
        while intake.ready:
            assert len(intake.ready.popleft().body) <= _LIMITS.body_bytes_max + len(piece)


@pytest.mark.parametrize("path", [b"/nowhere", b"/v1/completions"])
@pytest.mark.parametrize("line", [b"t%d: vvvvvvvv\r\n", b"v%d"])
def test_trailers_without_end_are_refused(path: bytes, line: bytes) -> None:
    """Many trailers, or one that never ends, get a 431 after as much as a head may have; until then they are not kept."""
    intake = _intake(GatewayLimits(), _admit_known)
    intake.feed(_CHUNKED_HEAD.replace(b"/v1/completions", path) + b"0\r\nt: ")
    fed = 0
    for number in range(MIB):
        intake.feed(piece := line % number)
        fed += len(piece)
        assert not intake._headers
        if intake.broken is not None:
            break
    assert intake.broken is not None
    assert intake.broken.code == "headers_too_large"
    assert fed <= 33 * KIB


def test_a_body_in_tiny_chunks_is_a_body() -> None:
    """Chunk heads that weigh more than the limit of a head in all are no trailers."""
    intake = _intake(GatewayLimits(), _admit_known)
    intake.feed(_CHUNKED_HEAD)
    for _ in range(20_000):
        intake.feed(b"1\r\n")
        intake.feed(b"x\r\n")
    intake.feed(b"0\r\n\r\n")
    assert intake.ready.popleft().body == b"x" * 20_000


def test_thousands_of_wishes_to_upgrade_are_read_one_after_another() -> None:
    """They neither nest nor cost more the more of them come in one piece."""

    def seconds(number: int) -> float:
        intake = _intake()
        before_s = process_time()
        intake.feed(get("/health", key=None, extra="Upgrade: x\r\nConnection: upgrade\r\n") * number)
        assert (len(intake.ready), intake.broken) == (number, None)
        return process_time() - before_s

    few_s = min(seconds(1000) for _ in range(3))
    assert min(seconds(8000) for _ in range(3)) < 30 * few_s


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        ("1.1", "Upgrade", True),
        ("1.1", "close, Upgrade", False),
        ("1.0", "Upgrade", False),
        ("1.0", "keep-alive, Upgrade", True),
    ],
)
def test_a_wish_to_upgrade_changes_nothing_else(version: str, connection: str, *, keep: bool) -> None:
    """Version, body and whether the connection is to be kept are the request's own."""
    intake = _intake()
    intake.feed(post(b"abc", version=version, extra=f"Connection: {connection}\r\nUpgrade: x\r\n"))
    request = intake.ready.popleft()
    assert (request.version, request.keep, request.body, request.problem) == (version, keep, b"abc", None)


def test_a_pipelined_head_has_the_same_limit() -> None:
    """Behind another request in one piece, or begun in one, a large head is refused like any other."""
    large = get("/health", extra=f"X: {'x' * 500}\r\n")
    for cut in (0, 10, 200, len(large)):
        intake = _intake()
        intake.feed(get("/health") + large[:cut])
        intake.feed(large[cut:])
        assert intake.ready.popleft().problem is None
        assert intake.broken is not None
        assert intake.broken.code == "headers_too_large"


def test_a_refused_body_is_thrown_away_while_it_is_small() -> None:
    """Above 64 KiB nobody waits for the rest of it, announced or chunked; what is refused is never kept."""
    for head, at_once in ((b"Content-Length: 100000", True), (b"Transfer-Encoding: chunked", False)):
        intake = _intake(GatewayLimits(), _admit_unknown)
        intake.feed(b"POST /nowhere HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % head)
        assert (intake.broken is not None) == at_once
        fed = 0
        while intake.broken is None:
            intake.feed(b"400\r\n%b\r\n" % (b"x" * KIB))
            fed += KIB
            assert not _kept_bytes(intake)
        assert fed <= SMALL_BODY_BYTES + KIB
        assert intake.broken.code == "unknown_url"


def test_only_small_bodies_come_before_their_key_is_known() -> None:
    """While no table says whose key it is, a body above 64 KiB gets a 503, announced or not, whole or in pieces."""
    large = b"x" * (SMALL_BODY_BYTES + 1)
    chunked = _CHUNKED_HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
    for raw, step in ((post(large), 1000), (post(large), MIB), (chunked, 1000), (chunked, MIB)):
        intake = _intake(GatewayLimits(), _admit_unknown)
        for start in range(0, len(raw), step):
            intake.feed(raw[start : start + step])
        told = intake.broken or intake.ready[0].problem
        assert told is not None
        assert told.status == 503
        assert not _kept_bytes(intake)


@pytest.mark.parametrize("step", [10 * KIB, MIB])
def test_large_bodies_are_counted_together(step: int) -> None:
    """One body too many gets a 503; a body that is let go of makes room, and in the end nothing is counted."""
    limits = GatewayLimits(body_bytes_max=200 * KIB, bodies_bytes_max=250 * KIB)
    room = Room(limits.bodies_bytes_max)

    def read() -> Intake:
        intake = _intake(limits, _admit_known, room)
        raw = post(b"x" * 150 * KIB)
        for start in range(0, len(raw), step):
            intake.feed(raw[start : start + step])
        return intake

    first, second = read(), read()
    assert first.ready[0].problem is None
    told = second.broken or second.ready[0].problem
    assert told is not None
    assert (told.status, told.code) == (503, "no_room")
    assert room.kept_bytes == 150 * KIB
    first.close()
    assert room.kept_bytes == 0
    third = read()
    assert third.ready[0].problem is None
    third.close()
    second.close()
    assert room.kept_bytes == 0
