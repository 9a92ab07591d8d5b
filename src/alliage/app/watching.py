"""Builds what writes down the gateway's requests: the access log, spans, or neither."""

import os
from pathlib import Path
from typing import Final

import structlog

from alliage import __version__
from alliage.errors import BadInput
from alliage.gateway.access_log import AccessLog
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.recorder import Recorder, Sink
from alliage.gateway.spans import Spans
from alliage.gateway.tracing import Sampler

_log: Final = structlog.get_logger("alliage.gateway")
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def build_recorder(logs: Path, limits: GatewayLimits, gateway: str) -> Recorder | None:
    """None where nothing is to be written down; raises BadInput where tracing is set and its packages are not installed."""
    sinks: list[Sink] = []
    if limits.access_log:
        sinks.append(AccessLog(logs / "access.log", gateway, limits.access_log_bytes_max))
    spans = _spans(limits, gateway)
    if spans is not None:
        sinks.append(spans)
    sampler = None if spans is None else Sampler(limits.trace_ratio)
    return Recorder(sinks, sampler, keeps_prompts=limits.access_log) if sinks else None


def _spans(limits: GatewayLimits, gateway: str) -> Spans | None:
    if limits.otlp_endpoint:
        return Spans(limits.otlp_endpoint, gateway=gateway, version=__version__)
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    try:
        return Spans("", gateway=gateway, version=__version__)
    except BadInput as error:  # the environment may mean another program
        _log.warning("no tracing", why=str(error))
        return None
