"""Every limit of the gateway, with its default. Values only."""

from dataclasses import dataclass, fields
from typing import Final

from alliage.errors import BadInput
from alliage.units import GIB, KIB, MIB

SMALL_BODY_BYTES: Final = 64 * KIB
"""So much of a body is read whoever sends it: not counted, and thrown away where the answer is no."""
MAY_BE_ZERO: Final = frozenset({"overdraft_micros"})
"""Limits that mean something at zero."""

_USAGE_BYTES_LEAST: Final = 256 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Sizes in bytes, durations in seconds; raises BadInput for one that is not above zero, or for two that contradict.

    Where there are several gateway processes each has them for itself.
    """

    processes: int = 1
    """Gateway processes, one for each core that is to serve; `alliage up --gateways` wins."""
    tls_certificate: str = ""
    """PEM file of the certificate and what leads from it to its root; with `tls_key` the gateway speaks TLS only."""
    tls_key: str = ""
    """PEM file of its key, without a password, and not for others to read."""
    tls_handshake_s: float = 10.0
    """How long a client may take for the handshake of TLS; then it is let go."""
    head_bytes_max: int = 32 * KIB
    """A request line with its headers; above: 431."""
    body_bytes_max: int = 32 * MIB
    """A request body; above: 413."""
    bodies_bytes_max: int = GIB
    """All request bodies above 64 KiB that wait for their engine, together; above: 503 with Retry-After."""
    connections_max: int = 12000
    """Client connections; above, or above what the limit of descriptors allows: 503 and closed."""
    idle_s: float = 75.0
    """How long a client connection may wait without a request."""
    head_s: float = 15.0
    """How long a request's head may take to come; then 408."""
    body_stall_s: float = 60.0
    """How long a request's body may bring nothing; then 408."""
    body_s: float = 300.0
    """How long a request's body may take to come, however steadily; then 408."""
    send_stall_s: float = 120.0
    """How long a client may leave its answer unread once the buffer is full; then it is cut off."""
    linger_s: float = 2.0
    """How long a closing connection is still read, so that its last answer is not lost to a reset."""
    pipelined_bytes_max: int = 64 * KIB
    """Bytes of later requests that are kept while one is in work; above: not read."""
    write_high_bytes: int = 256 * KIB
    """An engine is not read while its client has this much unsent."""
    write_low_bytes: int = 64 * KIB
    """It is read again when only this much is left."""
    upstream_connect_s: float = 5.0
    """How long an engine may take to accept a connection."""
    upstream_head_s: float = 600.0
    """How long an engine may take to begin its answer (CPU engines queue and are slow); then 504."""
    upstream_stall_s: float = 600.0
    """How long an answer that has begun may bring nothing."""
    upstream_idle_s: float = 4.0
    """How long an idle connection to an engine is kept; engines close theirs after 5 s."""
    hold_s: float = 300.0
    """How long a request waits for a service that is starting, then 503 with Retry-After; or a stream for another replica."""
    queued_max: int = 1024
    """Requests of one service that wait for their turn while it is saturated; above: 429 to the tenant with most for its weight."""
    queued_s: float = 300.0
    """How long a request waits for its turn; then 503 with Retry-After."""
    overdraft_micros: int = 0
    """What each scope may spend beyond its lease of money while control is away; may be zero."""
    reach_every_s: float = 1.0
    """How often an engine is tried that control does not hear of, or that failed."""
    reach_s: float = 1.0
    """How long it may take to accept that connection; then it is out of reach."""
    reach_answer_s: float = 1.5
    """How long it may then take to answer `GET /health` with anything, while nothing comes of its other answers either."""
    lost_s: float = 2.0
    """How long an engine that neither control nor the gateway reaches may send nothing; then another one goes on."""
    kept_bytes_max: int = 256 * MIB
    """All that is kept of open streams so that they can be continued; above: the streams that grow are not continued."""
    drain_s: float = 20.0
    """How long requests in work may take to end after the stop; then they are cut off."""
    redial_min_s: float = 0.1
    """First wait before control is dialled again; doubles each time."""
    redial_max_s: float = 2.0
    """Longest wait before control is dialled again."""
    heartbeat_s: float = 1.0
    """Control hears from the gateway at least this often."""
    access_log: bool = False
    """Whether each request leaves a line in `logs/access.log`."""
    access_log_bytes_max: int = 64 * MIB
    """A file of it that is larger is put aside; three older ones are kept."""
    otlp_endpoint: str = ""
    """Where spans are sent, by OTLP over HTTP (`http://HOST:4318`); empty for what `OTEL_EXPORTER_OTLP_ENDPOINT` says."""
    trace_ratio: float = 0.05
    """Of the requests that come without a trace, the share that is traced; above zero, at most 1."""
    usage_mark_s: float = 0.5
    """How often it is written down how far open answers are: by so much one that is cut may be billed short."""
    usage_tell_s: float = 0.25
    """How often control is told of usage."""
    usage_flush_s: float = 1.0
    """How often the usage journal is put on the disk: so much may be lost if the machine dies, nothing if only the process does."""
    usage_bytes_max: int = GIB
    """What the usage journals of one gateway process may hold while control is gone; beyond it requests are served and not written down."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not isinstance(value, bool | str) and (value < 0 or (value == 0 and limit.name not in MAY_BE_ZERO)):
                raise BadInput(f"the gateway's limit {limit.name} is {value}", remedy="it must be above zero")
        if self.trace_ratio > 1:
            raise BadInput(f"the gateway's trace_ratio is {self.trace_ratio}", remedy="it must be at most 1")
        if self.usage_bytes_max < _USAGE_BYTES_LEAST:
            raise BadInput(
                f"the gateway's limit usage_bytes_max is {self.usage_bytes_max}",
                remedy=f"it must be {_USAGE_BYTES_LEAST} at least",
            )
        for low, high in (("write_low_bytes", "write_high_bytes"), ("body_bytes_max", "bodies_bytes_max")):
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise BadInput(
                    f"the gateway's limit {low} is {least} and {high} is {most}",
                    remedy=f"set both, {low} no larger than {high}",
                )

    @property
    def tick_s(self) -> float:
        """How often deadlines are looked at: a quarter of the shortest, at most half a second."""
        shortest = min(
            self.idle_s, self.head_s, self.body_stall_s, self.body_s, self.send_stall_s, self.linger_s,
            self.upstream_head_s, self.upstream_stall_s, self.upstream_idle_s, self.hold_s, self.lost_s,
            self.queued_s,
        )  # fmt: skip
        return min(0.5, max(0.01, shortest / 4))
