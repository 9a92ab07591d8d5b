"""Bytes to requests: however they are cut, the same requests come out; whatever comes, nothing raises."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.gateway.intake import Intake
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, check_head
from tests.gateway.house import get, post

_LIMITS = GatewayLimits(head_bytes_max=400, body_bytes_max=300)


def _admit(request: Request) -> Problem | None:
    return check_head(request, _LIMITS.body_bytes_max)


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
    intake = Intake(_LIMITS, _admit)
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
    shorter = min(len(whole), len(cut))
    assert cut[:shorter] == whole[:shorter]
    if not {broken, broken_cut} & {
        "headers_too_large"
    }:  # behind an earlier request only what comes in pieces is counted
        assert (cut, broken_cut) == (whole, broken)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    """Nothing that comes over a socket can raise out of the reader, and nothing is kept without bound."""
    intake = Intake(_LIMITS, _admit)
    for piece in pieces:
        intake.feed(piece)
    assert all(isinstance(request, Request) for request in intake.ready)
