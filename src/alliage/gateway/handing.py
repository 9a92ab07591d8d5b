"""Headers of a client that its engine gets, as whole lines: the form of the body and of the answer, the API's version, the trace. All others stay here."""

import re
from typing import Final

from alliage.gateway.request import ANTHROPIC_VERSION, Request, sane_accept

JSON_LINE: Final = b"Content-Type: application/json\r\n"
VALUE_BYTES_MAX: Final = 1024
"""Of one header that is handed on; a longer one is left out."""
TRACESTATE_BYTES_MAX: Final = 512
"""As much as W3C Trace Context asks of everybody to hand on."""
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{0,200})?"
)
_VERSION_ZERO_BYTES: Final = 55
"""A parent of version 00 has nothing behind its flags."""
_ANTHROPIC: Final = ((ANTHROPIC_VERSION, b"Anthropic-Version"), (b"anthropic-beta", b"Anthropic-Beta"))


def handed_on(request: Request, form: bytes | None) -> bytes:
    """Whole header lines; `form` is the Content-Type of a body that is no JSON."""
    lines = request.lines
    return lines if lines and form is None else lines_of(request.headers, form)


def lines_of(headers: dict[bytes, bytes], form: bytes | None) -> bytes:
    """The same of headers, each time anew."""
    lines = b"%bAccept: %b\r\n" % (
        JSON_LINE if form is None else b"Content-Type: %b\r\n" % form,
        sane_accept(headers.get(b"accept")),
    )
    if b"traceparent" in headers:
        lines += trace_lines(headers[b"traceparent"], headers.get(b"tracestate"))
    if ANTHROPIC_VERSION in headers:
        for name, spelled in _ANTHROPIC:
            value = headers.get(name)
            if value is not None and is_sane(value, VALUE_BYTES_MAX):
                lines += b"%b: %b\r\n" % (spelled, value)
    return lines


def trace_lines(parent: bytes, state: bytes | None) -> bytes:
    """W3C trace context, untouched; nothing of one whose parent is not as it should be, for then its state says nothing."""
    if _TRACEPARENT.fullmatch(parent) is None or (parent.startswith(b"00-") and len(parent) != _VERSION_ZERO_BYTES):
        return b""
    lines = b"Traceparent: %b\r\n" % parent
    if state and is_sane(state, TRACESTATE_BYTES_MAX):
        lines += b"Tracestate: %b\r\n" % state
    return lines


def is_sane(value: bytes, bytes_max: int) -> bool:
    """Whether a header's value may be repeated to an engine: short, printable ASCII."""
    return (
        len(value) <= bytes_max and value.isascii() and b"\t" not in value
    )  # the parser lets no other control through
