"""Bytes of HTTP/1.1 answers. Pure functions of their arguments."""

from http import HTTPStatus
from typing import Final

from alliage.gateway.problems import Problem

JSON: Final = b"application/json"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
_SIZES: Final = [b"%x\r\n" % size for size in range(1024)]
"""Heads of small chunks, of which a stream has one a token: writing a number in hexadecimal costs as much as all else of a chunk."""


def _heads_by_length() -> list[bytes]:
    """By the length of a whole small chunk, the head that it must have; b"" for a length that none has."""
    heads = [b""] * (len(_SIZES) + len(_SIZES[-1]) + 2)
    for size in range(1, len(_SIZES)):
        heads[len(_SIZES[size]) + size + 2] = _SIZES[size]
    return heads


_HEADS: Final = _heads_by_length()

_STATUS_LINES: Final = {int(status): b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and its line end, also for numbers that have no name."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def connection_header(*, keep: bool, old: bool) -> bytes:
    """The Connection header, where one is needed; `old` for HTTP/1.0, which closes unless told otherwise."""
    if not keep:
        return b"Connection: close\r\n"
    return b"Connection: keep-alive\r\n" if old else b""


def answer(status: int, body: bytes, *, kind: bytes, request_id: bytes, connection: bytes, extra: bytes = b"") -> bytes:
    """A whole answer of known length; `connection` and `extra` are complete header lines."""
    return b"%bContent-Type: %b\r\nContent-Length: %d\r\nX-Request-Id: %b\r\n%b%b\r\n%b" % (
        status_line(status), kind, len(body), request_id, connection, extra, body,
    )  # fmt: skip


def anthropic_id(request_id: bytes) -> bytes:
    """The header in which Anthropic's clients look for the request's id."""
    return b"Request-Id: %b\r\n" % request_id


def refusal(
    problem: Problem, *, request_id: bytes, connection: bytes, bodyless: bool = False, anthropic: bool = False
) -> bytes:
    """A problem as a whole answer; `bodyless` for HEAD, `anthropic` for a client of that API."""
    body, extra = problem.body(), problem.headers
    if anthropic:
        body, extra = problem.anthropic_body(request_id), extra + anthropic_id(request_id)
    whole = answer(problem.status, body, kind=JSON, request_id=request_id, connection=connection, extra=extra)
    return whole[: whole.index(b"\r\n\r\n") + 4] if bodyless else whole


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; nothing for nothing, because an empty chunk would end the body."""
    size = len(data)
    if not size:
        return b""
    head = _SIZES[size] if size < len(_SIZES) else b"%x\r\n" % size
    return b"%b%b\r\n" % (head, data)


def chunk_head(data: bytes) -> int:
    """How long the head of the one chunk is that `data` is, 0 where it is not just what `chunk` makes of a small piece.

    The length of the whole says which head there must be, so no number is read.
    """
    size = len(data)
    if size >= len(_HEADS):
        return 0
    head = _HEADS[size]
    if head and data.startswith(head) and data.endswith(b"\r\n"):
        return len(head)
    return 0
