"""The gateway's metrics, made when they are asked for. Names of the field where it has them (docs/watching.md lists all)."""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alliage.gateway.door import Door
from alliage.gateway.exposition import Exposition, labels_of
from alliage.gateway.sums import DURATION_BUCKETS_S, FIRST_BUCKETS_S, QUEUE_BUCKETS_S, TOKEN_BUCKETS_S, Sums, Times

_Each = tuple[str, Sums]
"""Labels, and what was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    name: str
    text: str
    read: Callable[[Sums], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Histogram:
    name: str
    text: str
    edges: tuple[str, ...]
    read: Callable[[Sums], Times]


def _edges(buckets_s: tuple[float, ...]) -> tuple[str, ...]:
    return (*(f"{edge:g}" for edge in buckets_s), "+Inf")


_COUNTERS: Final = (
    _Counter(name="alliage_gateway_streamed_total", text="Answers that were streams", read=lambda sums: sums.streamed),
    _Counter(
        name="alliage_gateway_broken_total",
        text="Answers cut short because the engine failed after they had begun",
        read=lambda sums: sums.broken,
    ),
    _Counter(
        name="alliage_gateway_continued_total",
        text="Answers whose engine failed and that another one went on with",
        read=lambda sums: sums.continued,
    ),
    _Counter(
        name="alliage_gateway_retried_total",
        text="Requests given to another replica before their answer began",
        read=lambda sums: sums.retried,
    ),
    _Counter(
        name="alliage_gateway_objective_kept_total",
        text="Requests that kept the objective",
        read=lambda sums: sums.kept,
    ),
    _Counter(
        name="alliage_gateway_objective_missed_total",
        text="Requests that missed it: too slow, failed, or their client did not wait any longer",
        read=lambda sums: sums.missed,
    ),
    _Counter(
        name="alliage_gateway_spent_micros_total",
        text="Millionths of the currency, by the price list of the time; what the ledger holds is what counts",
        read=lambda sums: sums.spent_micros,
    ),
)
_HISTOGRAMS: Final = (
    _Histogram(
        name="gen_ai_server_time_to_first_token_seconds",
        text="From the whole request to the first event of its stream, waiting included",
        edges=_edges(FIRST_BUCKETS_S),
        read=lambda sums: sums.ttft,
    ),
    _Histogram(
        name="gen_ai_server_time_per_output_token_seconds",
        text="Mean of a stream: from its first event to its end, over its tokens but the first",
        edges=_edges(TOKEN_BUCKETS_S),
        read=lambda sums: sums.tpot,
    ),
    _Histogram(
        name="gen_ai_server_request_duration_seconds",
        text="From the whole request to the end of its answer; those that were answered with 2xx",
        edges=_edges(DURATION_BUCKETS_S),
        read=lambda sums: sums.duration,
    ),
    _Histogram(
        name="alliage_gateway_request_queue_time_seconds",
        text="From the whole request until a replica was asked",
        edges=_edges(QUEUE_BUCKETS_S),
        read=lambda sums: sums.queued,
    ),
)


def exposition(door: Door, tenant: str | None = None) -> bytes:
    """All metrics of this gateway process as Prometheus text; with a tenant, none that tell of another one."""
    out = Exposition()
    shown = None if tenant is None else ("", tenant)
    _sums(door, out, shown)
    _waiting(door, out, shown)
    _replicas(door, out)
    _now(door, out)
    return out.encode()


def _sums(door: Door, out: Exposition, shown: tuple[str, ...] | None) -> None:
    """What was counted by service, tenant and chip; service "" stands for requests that named none of ours."""
    found = [
        (labels_of(gateway=door.name, service=sums.service, tenant=sums.tenant, chip=sums.chip), sums)
        for sums in door.stats.parties.all_sums()
        if shown is None or sums.tenant in shown
    ]
    _by_word(out, found)
    for counter in _COUNTERS:
        out.family(counter.name, "counter", counter.text)
        for labels, sums in found:
            out.sample(labels, counter.read(sums))
    for histogram in _HISTOGRAMS:
        out.family(histogram.name, "histogram", histogram.text)
        for labels, sums in found:
            times = histogram.read(sums)
            if times.number or sums.duration.number:
                out.histogram(labels, histogram.edges, times.counts, times.sum_s)
    out.family("alliage_gateway_num_requests_running", "gauge", "Requests that a replica is answering")
    for labels, sums in found:
        out.sample(labels, sums.running)


def _by_word(out: Exposition, found: list[_Each]) -> None:
    """Counters that have one label more."""
    out.family("alliage_gateway_requests_total", "counter", "Requests that ended, by status; 499: the client left")
    for labels, sums in found:
        for status, number in sums.statuses.items():
            out.sample(f'{labels},status="{status}"', number)
    out.family("alliage_gateway_refused_total", "counter", "Requests that the gateway itself said no to, by the code")
    for labels, sums in found:
        for reason, number in sums.refused.items():
            out.sample(f"{labels},{labels_of(reason=reason)}", number)
    out.family("alliage_gateway_tokens_total", "counter", "Tokens as engines told; cached ones are of the prompt's")
    for labels, sums in found:
        if sums.service:
            out.sample(f'{labels},kind="prompt"', sums.prompt_tokens)
            out.sample(f'{labels},kind="cached"', sums.cached_tokens)
            out.sample(f'{labels},kind="output"', sums.output_tokens)


def _waiting(door: Door, out: Exposition, shown: tuple[str, ...] | None) -> None:
    out.family("alliage_gateway_num_requests_waiting", "gauge", "Requests that no replica was asked for yet")
    for party in door.stats.parties.all_parties():
        if shown is None or party.tenant in shown:
            labels = labels_of(gateway=door.name, service=party.service, tenant=party.tenant)
            out.sample(labels, party.waiting)


def _replicas(door: Door, out: Exposition) -> None:
    """What the choice of replicas goes by."""
    out.family("alliage_gateway_in_flight", "gauge", "Requests that a replica is answering for this gateway")
    for replica in door.pools.keys() | door.flights.counts.keys():
        out.sample(labels_of(gateway=door.name, replica=replica), door.flights.counts.get(replica, 0))
    lanes = [(labels_of(gateway=door.name, replica=replica), lane) for replica, lane in door.board.lanes.items()]
    out.family("alliage_gateway_unread", "gauge", "Requests at a replica whose first token is awaited")
    for labels, lane in lanes:
        out.sample(labels, lane.reading)
    out.family("alliage_gateway_slowness", "gauge", "How many times slower a replica is than its tempo says")
    for labels, lane in lanes:
        out.sample(f'{labels},at="reading"', lane.learned.reading)
        out.sample(f'{labels},at="decoding"', lane.learned.decoding)


def _now(door: Door, out: Exposition) -> None:
    """Single numbers; counters are those whose name ends with `_total`."""
    own = labels_of(gateway=door.name)
    version = -1 if door.table is None else door.table.version
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    journal = door.books.journal
    held_bytes = 0 if journal is None else journal.held_bytes + journal.others_bytes
    lost = 0 if door.recorder is None else door.recorder.lost
    for name, text, value in (
        ("held", "Requests that wait for a service to start", len(door.held)),
        ("queued", "Requests that wait for their turn at a saturated service", door.admission.queued),
        ("unreachable", "Replicas of the table out of our reach", len(door.reach.unreachable)),
        ("kept_bytes", "Kept of open streams so that they can be continued", door.kept.kept_bytes),
        ("connections", "Client connections now", len(door.guests)),
        ("connections_max", "Client connections that this process takes", door.limits.connections_max),
        ("descriptors_max", "File descriptors that this process may have", descriptors),
        ("guessing_addresses", "Addresses that sent wrong keys lately", len(door.guessing)),
        ("table_version", "Version of the routing table, -1 for none", version),
        ("control_connected", "1 while the line to control is up", int(door.control_connected)),
        ("usage_taken_total", "Usage records that control has taken", door.teller.taken),
        ("usage_unwritten_total", "Requests of which there is no record: no room for it", door.books.unwritten),
        ("usage_open", "Requests whose record is to come", door.books.open),
        ("usage_bytes", "What usage journals take of the disk", held_bytes),
        ("usage_full", "1 while new requests are not written down", int(door.books.why_full != "")),
        ("records_lost_total", "Ended requests that access log and traces did not get", lost),
    ):
        out.family(f"alliage_gateway_{name}", "counter" if name.endswith("_total") else "gauge", text)
        out.sample(own, value)
