"""The gateway's counters in Prometheus' text format, made when they are asked for."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from alliage.gateway.door import Door
from alliage.gateway.stats import ServiceStats, Times

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


def exposition(door: Door) -> bytes:
    """All metrics of this gateway process."""
    registry = CollectorRegistry()
    registry.register(_DoorCollector(door))
    return generate_latest(registry)


class _DoorCollector(Collector):
    def __init__(self, door: Door) -> None:
        self._door = door

    def describe(self) -> list[Metric]:
        """Nothing: registering need not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from _by_service(self._door.stats.by_service)
        yield from _now(self._door)


def _by_service(stats: dict[str, ServiceStats]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "alliage_gateway_requests",
        "Requests answered, by service and status; 499: the client left. Service '': none of ours was named",
        labels=["service", "status"],
    )
    streamed = CounterMetricFamily("alliage_gateway_streamed", "Answers that were streams", labels=["service"])
    broken = CounterMetricFamily(
        "alliage_gateway_broken", "Answers cut short because the engine failed after they had begun", labels=["service"]
    )
    continued = CounterMetricFamily(
        "alliage_gateway_continued", "Answers whose engine failed and that another one went on with", labels=["service"]
    )
    retried = CounterMetricFamily("alliage_gateway_retried", "Requests given to a second replica", labels=["service"])
    tokens = CounterMetricFamily("alliage_gateway_tokens", "Tokens as engines told", labels=["service", "kind"])
    first_byte = HistogramMetricFamily(
        "alliage_gateway_first_byte_seconds", "From the whole request to the answer's first byte", labels=["service"]
    )
    ttft = HistogramMetricFamily(
        "alliage_gateway_time_to_first_token_seconds",
        "From the whole request to the first event of its stream, waiting for a start included",
        labels=["service"],
    )
    tpot = HistogramMetricFamily(
        "alliage_gateway_time_per_output_token_seconds",
        "Mean of a stream: from its first event to its end, over its tokens but the first",
        labels=["service"],
    )
    kept = CounterMetricFamily("alliage_gateway_objective_kept", "Requests that kept the objective", labels=["service"])
    missed = CounterMetricFamily(
        "alliage_gateway_objective_missed",
        "Requests that missed it: too slow, failed, or their client did not wait any longer",
        labels=["service"],
    )
    for service, one in stats.items():
        for status, number in one.statuses.items():
            requests.add_metric([service, str(status)], number)
        if not service:
            continue
        streamed.add_metric([service], one.streamed)
        broken.add_metric([service], one.broken)
        continued.add_metric([service], one.continued)
        retried.add_metric([service], one.retried)
        tokens.add_metric([service, "prompt"], one.prompt_tokens)
        tokens.add_metric([service, "completion"], one.completion_tokens)
        kept.add_metric([service], one.kept)
        missed.add_metric([service], one.missed)
        for family, times in ((first_byte, one.first_byte), (ttft, one.ttft), (tpot, one.tpot)):
            family.add_metric([service], buckets=_buckets(times), sum_value=times.sum_s)
    yield from (requests, streamed, broken, continued, retried, tokens, kept, missed, first_byte, ttft, tpot)


def _buckets(times: Times) -> list[tuple[str, float]]:
    edges = (*(f"{edge:g}" for edge in times.buckets_s), "+Inf")
    return list(zip(edges, map(float, accumulate(times.counts)), strict=True))


def _now(door: Door) -> Iterator[Metric]:
    in_flight = GaugeMetricFamily(
        "alliage_gateway_in_flight", "Requests that a replica is answering for this gateway", labels=["replica"]
    )
    for replica in door.pools.keys() | door.flights.counts.keys():
        in_flight.add_metric([replica], door.flights.counts.get(replica, 0))
    yield in_flight
    yield from _routing(door)
    yield GaugeMetricFamily("alliage_gateway_held", "Requests that wait for a service to start", value=len(door.held))
    unreachable = len(door.reach.unreachable)
    yield GaugeMetricFamily("alliage_gateway_unreachable", "Replicas of the table out of our reach", value=unreachable)
    yield GaugeMetricFamily(
        "alliage_gateway_kept_bytes", "Kept of open streams so that they can be continued", value=door.kept.kept_bytes
    )
    yield GaugeMetricFamily("alliage_gateway_connections", "Client connections now", value=len(door.guests))
    version = -1 if door.table is None else door.table.version
    yield GaugeMetricFamily("alliage_gateway_table_version", "Version of the routing table, -1 for none", value=version)
    yield from _usage(door)
    connected = int(door.control_connected)
    yield GaugeMetricFamily("alliage_gateway_control_connected", "1 while the line to control is up", value=connected)


def _usage(door: Door) -> Iterator[Metric]:
    """What becomes of usage records."""
    books, journal = door.books, door.books.journal
    yield CounterMetricFamily(
        "alliage_gateway_usage_taken", "Usage records that control has taken", value=door.teller.taken
    )
    yield CounterMetricFamily(
        "alliage_gateway_usage_unwritten", "Requests of which there is no record: no room for it", value=books.unwritten
    )
    yield GaugeMetricFamily("alliage_gateway_usage_open", "Requests whose record is to come", value=len(books.open))
    held = 0 if journal is None else journal.held_bytes + journal.others_bytes
    yield GaugeMetricFamily("alliage_gateway_usage_bytes", "What usage journals take of the disk", value=held)
    full = int(books.why_full != "")
    yield GaugeMetricFamily("alliage_gateway_usage_full", "1 while new requests are not written down", value=full)


def _routing(door: Door) -> Iterator[Metric]:
    """What the choice of replicas goes by."""
    unread = GaugeMetricFamily(
        "alliage_gateway_unread", "Requests at a replica whose first token is awaited", labels=["replica"]
    )
    slowness = GaugeMetricFamily(
        "alliage_gateway_slowness", "How many times slower a replica is than its tempo says", labels=["replica", "at"]
    )
    for replica, lane in door.board.lanes.items():
        unread.add_metric([replica], len(lane.reading))
        slowness.add_metric([replica, "reading"], lane.learned.reading)
        slowness.add_metric([replica, "decoding"], lane.learned.decoding)
    yield from (unread, slowness)
