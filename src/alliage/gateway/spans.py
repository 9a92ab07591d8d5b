"""Ended requests as OpenTelemetry spans, sent by OTLP over HTTP in batches. Imports the SDK (the extra `otel`) only when one is made.

Attributes are those of OpenTelemetry's GenAI and HTTP conventions; `alliage.*` where they have none.
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

from alliage.errors import BadInput
from alliage.gateway.access_log import address_of, ending_of
from alliage.gateway.recorder import Ended
from alliage.gateway.tracing import Trace

QUEUE_MAX: Final = 8192
"""Spans that wait to be sent; those beyond are lost."""
_BATCH_MAX: Final = 512
_DELAY_MS: Final = 2000
_SEND_S: Final = 2.0
"""How long the collector may take for a batch, tries again included."""
_CLOSE_S: Final = 1.0
"""What is left for it at the end."""
_NANOSECONDS: Final = 1_000_000_000
_OPERATIONS: Final = {
    b"/v1/chat/completions": "chat",
    b"/v1/completions": "text_completion",
    b"/v1/embeddings": "embeddings",
    b"/v1/messages": "chat",
    b"/v1/responses": "chat",
}
_Value = str | int | float | bool


class _Ids:
    """Gives the SDK the ids that the door chose already."""

    def __init__(self) -> None:
        self.next = Trace(1, 1, 0, is_sampled=True)

    def generate_span_id(self) -> int:
        return self.next.span_id

    def generate_trace_id(self) -> int:
        return self.next.trace_id

    def is_trace_id_random(self) -> bool:
        return False


class Spans:
    """A sink of the recorder: makes a span of each sampled request. Sending happens on a thread of the SDK."""

    def __init__(self, endpoint: str, *, gateway: str, version: str) -> None:
        """`endpoint` without its path, "" for what the environment says; raises BadInput where the SDK is not installed."""
        try:
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415
        except ImportError as error:
            raise BadInput(
                f"tracing is asked for, but OpenTelemetry is not installed ({error.name} is missing)",
                remedy="install the extra: pip install 'alliage[otel]'",
            ) from error
        self._exporter = exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None, timeout=_SEND_S
        )
        resource = Resource.create({
            "service.name": "alliage-gateway", "service.version": version, "service.instance.id": gateway,
        })  # fmt: skip
        self._ids = _Ids()
        self._api: Any = trace
        ids: Any = self._ids
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=ids
        )  # who is sampled was decided at the door
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=QUEUE_MAX,
                schedule_delay_millis=_DELAY_MS,
                max_export_batch_size=_BATCH_MAX,
            )
        )
        self._tracer: Any = self._provider.get_tracer("alliage.gateway", version)

    def take(self, batch: Sequence[Ended]) -> int:
        """Queue the sampled ones; what the collector does not take is the SDK's to drop and to say."""
        for ended in batch:
            if ended.trace is not None and ended.trace.is_sampled:
                self._take(ended, ended.trace)
        return 0

    def close(self) -> None:
        """Send what waits, if the collector takes it at once: the end of the gateway does not wait for it."""
        impatience = threading.Timer(_CLOSE_S, self._exporter.shutdown)
        impatience.daemon = True
        impatience.start()
        self._provider.shutdown()
        impatience.cancel()

    def _take(self, ended: Ended, trace: Trace) -> None:
        api = self._api
        self._ids.next = trace
        context = None
        if trace.parent_id:
            parent = api.SpanContext(trace.trace_id, trace.parent_id, is_remote=True, trace_flags=api.TraceFlags(1))
            context = api.set_span_in_context(api.NonRecordingSpan(parent))
        span = self._tracer.start_span(
            name_of(ended),
            context=context,
            kind=api.SpanKind.SERVER,
            attributes=attributes_of(ended),
            start_time=int((ended.ended_s - ended.duration_s) * _NANOSECONDS),
        )
        if ended.status >= 500 or ended.is_broken:
            span.set_status(api.StatusCode.ERROR, ended.reason)
        span.end(end_time=int(ended.ended_s * _NANOSECONDS))


def name_of(ended: Ended) -> str:
    """`chat m`, or the method and path of what is no inference."""
    operation = _OPERATIONS.get(ended.path)
    if operation is None or not ended.service:
        return f"{ended.method.decode('latin-1')} {ended.path[:100].decode('latin-1')}"
    return f"{operation} {ended.service}"


def attributes_of(ended: Ended) -> dict[str, _Value]:
    """What is known of it; nothing stands for what is not."""
    entry = ended.entry
    known: dict[str, _Value] = {
        "gen_ai.operation.name": _OPERATIONS.get(ended.path, ""),
        "gen_ai.provider.name": "alliage",
        "gen_ai.request.model": ended.service,
        "gen_ai.usage.input_tokens": ended.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": ended.cached_tokens,
        "gen_ai.usage.output_tokens": ended.output_tokens,
        "gen_ai.response.time_to_first_chunk": ended.ttft_s,
        "http.request.method": ended.method.decode("latin-1"),
        "url.path": ended.path[:200].decode("latin-1"),
        "http.response.status_code": ended.status,
        "client.address": address_of(ended.peer),
        "error.type": ended.reason or (str(ended.status) if ended.status >= 400 else ""),
        "alliage.request": ended.request.decode("latin-1"),
        "alliage.tenant": "" if entry is None else entry.tenant,
        "alliage.project": "" if entry is None else entry.project,
        "alliage.key": "" if entry is None else entry.key,
        "alliage.replica": ended.replica,
        "alliage.chip": ended.chip,
        "alliage.ending": ending_of(ended),
        "alliage.continued": ended.is_continued,
        "alliage.time_per_output_token": ended.tpot_s,
    }
    return {name: value for name, value in known.items() if value}
