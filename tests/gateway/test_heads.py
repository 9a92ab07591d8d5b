"""Heads that are remembered: what is cut out is the length, and nothing that only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.gateway.heads import HEAD_BYTES_MAX, cut, may_be_known


def test_messages_that_differ_in_length_only_have_one_key() -> None:
    """The digits of the length are no part of the key; everything else is."""
    one = cut(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    two = cut(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, world")
    other = cut(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello")
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.key == two.key != other.key
    assert (one.length, two.length) == (5, 12)
    assert may_be_known(one.key)


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nContent-Length: 5x\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nContent-Length: \r\n\r\nhello",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nContent-Length: 5",
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES_MAX + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_whole_message_with_a_length_is_left_to_the_parser(data: bytes) -> None:
    """Too little, too much, no number, no end, the name in the body only, too long."""
    assert cut(data) is None


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nX: Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /?Content-Length: 5 HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nX-Content-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    ],
)
def test_a_head_where_the_name_stands_elsewhere_too_is_not_remembered(head: bytes) -> None:
    """What was cut out may be another number than the one that counts."""
    found = cut(head)
    assert found is None or not may_be_known(found.key)


@given(before=st.integers(0, 1200), after=st.integers(0, 1200), change=st.binary(max_size=3), at=st.integers(0, 1300))
def test_a_spelling_says_of_a_message_what_cutting_it_says(before: int, after: int, change: bytes, at: int) -> None:
    """The length where the head is the same, -1 for another head, and for what is no whole message."""
    learned = cut(_message(b"x" * before))
    assert learned is not None
    plain = _message(b"y" * after)
    data = plain[:at] + change + plain[at:]
    found = cut(data)
    is_same = found is not None and found.key == learned.key and b": %d\r\n" % found.length in data
    assert learned.spelling.length_of(plain) == after
    assert learned.spelling.length_of(data) == (found.length if found is not None and is_same else -1)


@pytest.mark.parametrize("length", [b"05", b"+5", b"5 ", b" 5", b"4", b"6", b"55"])
def test_a_length_that_is_spelled_in_another_way_is_not_known(length: bytes) -> None:
    """Leading zeros, signs and blanks, and a wrong number: the parser says what they are."""
    learned = cut(_message(b"hello"))
    assert learned is not None
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\nAccept: */*\r\n\r\nhello"
    assert learned.spelling.length_of(data) == -1


def _message(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nAccept: */*\r\n\r\n%b" % (len(body), body)
