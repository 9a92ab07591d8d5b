"""Which headers of a client its engine gets, and in which form."""

import pytest

from alliage.gateway.handing import JSON_LINE, handed_on, trace_lines
from alliage.gateway.request import Request
from tests.gateway.house import chat_body, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("parent", "state", "lines"),
    [
        (PARENT, None, b"Traceparent: %b\r\n" % PARENT),
        (PARENT, b"rojo=00f067,congo=t61", b"Traceparent: %b\r\nTracestate: rojo=00f067,congo=t61\r\n" % PARENT),
        (PARENT, b"", b"Traceparent: %b\r\n" % PARENT),
        (PARENT, b"x" * 513, b"Traceparent: %b\r\n" % PARENT),
        (PARENT, b"\xe9=1", b"Traceparent: %b\r\n" % PARENT),
        (b"01" + PARENT[2:] + b"-later", None, b"Traceparent: 01%b-later\r\n" % PARENT[2:]),
        (PARENT + b"-later", b"a=b", b""),
        (PARENT.upper(), b"a=b", b""),
        (b"ff" + PARENT[2:], b"a=b", b""),
        (b"00-" + b"0" * 32 + PARENT[35:], b"a=b", b""),
        (PARENT[:36] + b"0" * 16 + b"-01", b"a=b", b""),
        (PARENT[:-1], b"a=b", b""),
        (b"", b"a=b", b""),
        (b"01" + PARENT[2:] + b"-" + b"x" * 300, b"a=b", b""),
    ],
)
def test_a_trace_goes_on_untouched_or_not_at_all(parent: bytes, state: bytes | None, lines: bytes) -> None:
    """As W3C Trace Context says: a parent that is not valid is not handed on, and neither is its state."""
    assert trace_lines(parent, state) == lines


def test_anthropics_headers_go_on_with_their_version() -> None:
    """Both, in the spelling of its documents; a value that no engine should read is left out."""
    headers = {b"anthropic-version": b"2023-06-01", b"anthropic-beta": b"a,b"}
    request = Request(b"POST", b"/v1/messages", "1.1", headers, True, 0)
    assert (
        handed_on(request, None)
        == JSON_LINE + b"Accept: */*\r\nAnthropic-Version: 2023-06-01\r\nAnthropic-Beta: a,b\r\n"
    )
    headers[b"anthropic-beta"] = b"a\tb"
    assert b"Beta" not in handed_on(request, None)
    del headers[b"anthropic-version"]
    assert handed_on(request, None) == JSON_LINE + b"Accept: */*\r\n"


def test_engines_get_these_and_no_others() -> None:
    """A client's other headers, its cookies and keys among them, stay at the gateway."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port)))) as place:
            extra = f"Traceparent: {PARENT.decode()}\r\nTracestate: a=b\r\nCookie: c\r\nX-Api-Key: k\r\nOther: o\r\n"
            assert (await place.ask(post(chat_body(), extra=extra))).status == 200
            assert (await place.ask(post(chat_body(), extra="Traceparent: no\r\nTracestate: a=b\r\n"))).status == 200
            first, second = engine.calls
            assert (first.headers["traceparent"], first.headers["tracestate"]) == (PARENT.decode(), "a=b")
            known = {"host", "authorization", "content-type", "accept", "x-request-id", "content-length"}
            assert first.headers.keys() == known | {"traceparent", "tracestate"}
            assert second.headers.keys() == known

    run(main())
