"""Trace context at the door, and spans as a real OTLP/HTTP collector gets them."""

import asyncio
import gzip
import http.server
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alliage.app.watching import build_recorder
from alliage.errors import BadInput
from alliage.fleet.usage import Origin
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.recorder import Recorder
from alliage.gateway.request import Request
from alliage.gateway.spans import Spans
from alliage.gateway.tracing import Sampler, read_parent
from tests.gateway.house import chat_body, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    except ModuleNotFoundError:
        return False


_IS_THERE = _is_installed()
needs_otel = pytest.mark.skipif(not _IS_THERE, reason="OpenTelemetry (the extra `otel`) is not installed")
_TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
_SPAN = 0x00F067AA0BA902B7


def _parent(flags: str = "01") -> str:
    return f"00-{_TRACE:032x}-{_SPAN:016x}-{flags}"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        b" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_a_malformed_parent_is_none(header: bytes) -> None:
    """As W3C Trace Context says: wrong length, letters, version or all zeros; the trace begins here then."""
    assert read_parent(header) is None
    assert Sampler(1.0, seed=1).begin(header).parent_id == 0


def test_a_parent_decides_and_the_ratio_decides_for_the_others() -> None:
    """The parent's flag is obeyed both ways; of those without one the stated share is sampled; ids are never zero or the same."""
    never, always = Sampler(1e-18, seed=2), Sampler(1.0, seed=2)
    below = never.begin(_parent().encode())
    assert (below.trace_id, below.parent_id, below.is_sampled) == (_TRACE, _SPAN, True)
    assert below.header() == f"00-{_TRACE:032x}-{below.span_id:016x}-01".encode()
    assert not always.begin(_parent("00").encode()).is_sampled
    assert always.begin(b"01-" + _parent().encode()[3:] + b"-more").parent_id == _SPAN
    some = Sampler(0.25, seed=3)
    traces = [some.begin(None) for _ in range(4000)]
    assert 900 < sum(trace.is_sampled for trace in traces) < 1100
    assert len({trace.trace_id for trace in traces}) == len({trace.span_id for trace in traces}) == 4000
    assert not any(never.begin(None).is_sampled for _ in range(100))
    assert all(always.begin(None).is_sampled for _ in range(100))


def test_what_is_handed_on_names_the_span_as_the_parent() -> None:
    """Where there is tracing, the request's own header is replaced; where there is none, it is left as it came."""
    came = {b"traceparent": _parent().encode()}
    request = Request(b"POST", b"/v1/chat/completions", "1.1", came, True, 0)
    assert Recorder([]).trace(request) is None
    assert request.headers[b"traceparent"] == _parent().encode()
    trace = Recorder([], Sampler(1.0, seed=4)).trace(request)
    assert trace is not None
    assert request.headers[b"traceparent"] == f"00-{_TRACE:032x}-{trace.span_id:016x}-01".encode()
    assert came == {b"traceparent": _parent().encode()}, "headers may be another request's too"


class _Collector(http.server.BaseHTTPRequestHandler):
    """Takes OTLP as a collector does, and answers as one."""

    bodies: list[bytes]
    paths: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.paths.append(f"{self.path} {self.headers['Content-Type']}")
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing."""


@contextmanager
def _collector() -> Iterator[tuple[str, type[_Collector]]]:
    """Its address, and what came."""

    class Taking(_Collector):
        bodies: list[bytes] = []  # noqa: RUF012  # one list a collector
        paths: list[str] = []  # noqa: RUF012

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", Taking
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(bodies: list[bytes]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every span that came, with its attributes."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield (
                        span,
                        {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes},
                    )


@needs_otel
def test_a_collector_gets_a_span_for_each_sampled_request(tmp_path: Path) -> None:
    """Decoded from the protobuf that was sent: ids, parent, times, GenAI attributes and errors; unsampled ones are not sent."""

    async def main() -> None:
        with _collector() as (address, taken):
            limits = GatewayLimits(otlp_endpoint=address, trace_ratio=1e-18, drain_s=2)
            recorder = build_recorder(tmp_path, limits, "gateway-1")
            assert recorder is not None
            async with Engine() as engine:
                one = replace(upstream("m-1", engine.port), origin=Origin(chip="cpu-x86"))
                async with house(table(1, route("m", one)), limits, recorder) as place:
                    await place.ask(post(chat_body(stream=True), extra=f"traceparent: {_parent()}\r\n"))
                    await place.ask(post(chat_body("absent"), extra=f"traceparent: {_parent()}\r\n"))
                    await place.ask(post(chat_body(), extra=f"traceparent: {_parent('00')}\r\n"))
                    await place.chat()
            assert set(taken.paths) == {"/v1/traces application/x-protobuf"}
            (whole, told), (refused, why) = _spans(taken.bodies)
        assert (whole.name, whole.trace_id.hex(), whole.parent_span_id.hex()) == (
            "chat m",
            f"{_TRACE:032x}",
            f"{_SPAN:016x}",
        )
        assert whole.span_id != whole.parent_span_id
        assert 0 < whole.end_time_unix_nano - whole.start_time_unix_nano < 10**10
        expected = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "alliage", "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4, "http.response.status_code": 200,
            "alliage.tenant": "house", "alliage.replica": "m-1", "alliage.chip": "cpu-x86", "alliage.ending": "finished",
        }  # fmt: skip
        assert expected.items() <= told.items()
        assert told["gen_ai.response.time_to_first_chunk"] > 0
        assert refused.name == "POST /v1/chat/completions"
        assert (why["error.type"], why["http.response.status_code"]) == ("model_not_found", 404)

    run(main())


@needs_otel
def test_a_collector_that_is_not_there_holds_up_nobody(tmp_path: Path) -> None:
    """Requests are answered, and the gateway's end waits for no collector longer than it would wait for a disk."""

    async def main() -> None:
        limits = GatewayLimits(otlp_endpoint="http://127.0.0.1:9", trace_ratio=1.0, drain_s=1)
        recorder = build_recorder(tmp_path, limits, "g")
        async with (
            Engine() as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), limits, recorder) as place,
        ):
            assert (await asyncio.wait_for(place.chat(), 10)).status == 200

    run(main())


@pytest.mark.skipif(_IS_THERE, reason="OpenTelemetry is installed")
def test_tracing_without_its_packages_is_refused_with_the_way_out() -> None:
    """Where the setting asks for it; the name of the extra is in the error."""
    with pytest.raises(BadInput, match=r"alliage\[otel\]"):
        Spans("http://127.0.0.1:4318", gateway="g", version="0")


def test_opentelemetry_is_not_imported_unless_asked_for() -> None:
    """Nor is anything it brings along."""
    code = "import sys, alliage.app.door; print(sorted({'opentelemetry', 'requests', 'google'} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]"
