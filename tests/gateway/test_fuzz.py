"""A little of `make fuzz-gateway` at each run: the same seeded bytes each time, so that a failure is the code's doing."""

from itertools import islice

import pytest

from tests.conftest import examples
from tests.gateway.fuzz import feed, inputs
from tests.gateway.fuzz_targets import TARGETS

_SEED = 6


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_break_a_promise_of_the_edge(target: str) -> None:
    """Nothing raises, cutting changes nothing, and other readers of the same format agree (tests/gateway/fuzz_targets.py)."""
    for data in islice(inputs(target, _SEED), examples(1500)):
        feed(target, data)


@pytest.mark.parametrize(
    ("target", "data"),
    [
        (
            "intake",
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "intake",
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("intake", b"PRI * HTTP/2.0\r\n\r\n"),
        ("intake", b"PRI * HTTP/1.0\r\n\r\n"),
        (
            "heads",
            (
                b"POST / HTTP/1.1\r\nHost: h\r\nXontent-Length: 5\r\nContent-Length: 5\r\n\r\nhello|||"
                b"POST / HTTP/1.1\r\nHost: h\r\nXontent-Length: 3\r\nContent-Length: 5\r\n\r\nabc"
            ),
        ),
        (
            "heads",
            (
                b"HTTP/1.1 200 OK\r\nX: ontent-Length: 5\r\nContent-Length: 5\r\n\r\nhello|||"
                b"HTTP/1.1 200 OK\r\nX: ontent-Length: 3\r\nContent-Length: 5\r\n\r\nabc"
            ),
        ),
        ("answer", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz"),
        (
            "answer",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: y\r\n\r\n",
        ),
        ("answer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Type: y\r\n\r\n"),
    ],
)
def test_what_the_fuzzer_found_stays_mended(target: str, data: bytes) -> None:
    """Inputs that once broke a promise."""
    feed(target, data)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """And another one others."""
    first, again, other = (list(islice(inputs("intake", seed), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
