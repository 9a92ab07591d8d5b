"""What the Grafana dashboard shows: a row is a title and its panels; a panel is a title, a unit and its queries with their legends."""

from dataclasses import dataclass
from typing import Final

REQUESTS: Final = "alliage_gateway_requests_total"
_FILTER: Final = 'service=~"$service",tenant=~"$tenant",chip=~"$chip",gateway=~"$gateway"'
"""Of what is told apart by service, tenant and chip."""
_RATE: Final = "[$__rate_interval]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A PromQL expression and what its lines are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph; `unit` is Grafana's id of it."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    text: str = ""
    stacked: bool = False
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under one heading, side by side."""

    title: str
    panels: tuple[Panel, ...]


def _rate(name: str, by: str, more: str = "") -> str:
    return f"sum by ({by}) (rate({name}{{{_FILTER}{more}}}{_RATE}))"


def _rates(name: str, label: str, more: str = "") -> tuple[Query, ...]:
    """A counter's rates, a line for each value of the label."""
    return (Query(expr=_rate(name, label, more), legend=f"{{{{{label}}}}}"),)


def _quantiles(name: str) -> tuple[Query, ...]:
    """p50, p95 and p99 of a histogram."""
    return tuple(
        Query(expr=f"histogram_quantile({q}, {_rate(f'{name}_bucket', 'le')})", legend=f"p{q * 100:.0f}")
        for q in (0.5, 0.95, 0.99)
    )


def _quantile_by(name: str, label: str) -> tuple[Query, ...]:
    expr = f"histogram_quantile(0.95, {_rate(f'{name}_bucket', f'{label}, le')})"
    return (Query(expr=expr, legend=f"{{{{{label}}}}}"),)


_TTFT: Final = "gen_ai_server_time_to_first_token_seconds"
_TPOT: Final = "gen_ai_server_time_per_output_token_seconds"
_DURATION: Final = "gen_ai_server_request_duration_seconds"
_QUEUE: Final = "alliage_gateway_request_queue_time_seconds"
_TOKENS: Final = "alliage_gateway_tokens_total"
_PROMPT: Final = ',kind="prompt"'
_CACHED: Final = ',kind="cached"'
_OUTPUT: Final = ',kind="output"'
_SERVICES: Final = 'service=~"$service",tenant=~"$tenant"'
_GATEWAYS: Final = 'gateway=~"$gateway"'

ROWS: Final = (
    Row(
        title="Traffic",
        panels=(
            Panel(title="Requests that ended", unit="reqps", queries=_rates(REQUESTS, "service")),
            Panel(
                title="By status",
                unit="reqps",
                text="499: the client left before its answer was whole.",
                stacked=True,
                queries=_rates(REQUESTS, "status"),
            ),
            Panel(
                title="Running and waiting",
                queries=(
                    Query(expr=f"sum(alliage_gateway_num_requests_running{{{_FILTER}}})", legend="running"),
                    Query(
                        expr=f"sum(alliage_gateway_num_requests_waiting{{{_SERVICES},{_GATEWAYS}}})", legend="waiting"
                    ),
                ),
            ),
            Panel(title="Output tokens a second", queries=_rates(_TOKENS, "service", _OUTPUT)),
        ),
    ),
    Row(
        title="Latency",
        panels=(
            Panel(title="Time to the first token", unit="s", queries=_quantiles(_TTFT)),
            Panel(title="Time per output token", unit="s", queries=_quantiles(_TPOT)),
            Panel(title="Whole requests", unit="s", queries=_quantiles(_DURATION)),
            Panel(
                title="Objective kept",
                unit="percentunit",
                most=1.0,
                queries=(
                    Query(
                        expr=f"{_rate('alliage_gateway_objective_kept_total', 'service')} / ("
                        f"{_rate('alliage_gateway_objective_kept_total', 'service')} + "
                        f"{_rate('alliage_gateway_objective_missed_total', 'service')})",
                        legend="{{service}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        title="Queue and refusals",
        panels=(
            Panel(title="Time waited for a replica", unit="s", queries=_quantiles(_QUEUE)),
            Panel(
                title="Waiting by tenant",
                stacked=True,
                queries=(
                    Query(
                        expr=f"sum by (tenant) (alliage_gateway_num_requests_waiting{{{_SERVICES},{_GATEWAYS}}})",
                        legend="{{tenant}}",
                    ),
                ),
            ),
            Panel(
                title="Refused, by reason",
                unit="reqps",
                text="Wrong keys and the like name no service: choose all services to see them.",
                stacked=True,
                queries=_rates("alliage_gateway_refused_total", "reason"),
            ),
            Panel(
                title="Client connections",
                queries=(Query(expr=f"alliage_gateway_connections{{{_GATEWAYS}}}", legend="{{gateway}}"),),
            ),
        ),
    ),
    Row(
        title="Tokens by tenant",
        panels=(
            Panel(title="Prompt", stacked=True, queries=_rates(_TOKENS, "tenant", _PROMPT)),
            Panel(title="Output", stacked=True, queries=_rates(_TOKENS, "tenant", _OUTPUT)),
            Panel(
                title="Of the prompts, held already",
                unit="percentunit",
                most=1.0,
                queries=(
                    Query(
                        expr=f"{_rate(_TOKENS, 'tenant', _CACHED)} / {_rate(_TOKENS, 'tenant', _PROMPT)}",
                        legend="{{tenant}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        title="Replicas by chip",
        panels=(
            Panel(
                title="Replicas",
                stacked=True,
                queries=(
                    Query(
                        expr='sum by (chip, phase) (alliage_service_replicas{service=~"$service",chip=~"$chip"})',
                        legend="{{chip}} {{phase}}",
                    ),
                ),
            ),
            Panel(
                title="Wanted, and not ready",
                queries=(
                    Query(
                        expr=f"sum by (service) (alliage_service_wanted{{{_SERVICES}}})"
                        f" - sum by (service) (alliage_service_ready{{{_SERVICES}}}) > 0",
                        legend="{{service}}",
                    ),
                ),
            ),
            Panel(title="Time to the first token, p95", unit="s", queries=_quantile_by(_TTFT, "chip")),
            Panel(title="Time per output token, p95", unit="s", queries=_quantile_by(_TPOT, "chip")),
        ),
    ),
    Row(
        title="Continued and broken",
        panels=(
            Panel(
                title="Answers whose replica failed",
                unit="reqps",
                queries=(
                    Query(expr=_rate("alliage_gateway_continued_total", "service"), legend="{{service}} continued"),
                    Query(expr=_rate("alliage_gateway_retried_total", "service"), legend="{{service}} retried"),
                    Query(expr=_rate("alliage_gateway_broken_total", "service"), legend="{{service}} broken"),
                ),
            ),
            Panel(
                title="Nodes, and replicas out of reach",
                queries=(
                    Query(expr='max by (phase) (alliage_nodes{phase!="ready"})', legend="nodes {{phase}}"),
                    Query(expr=f"max(alliage_gateway_unreachable{{{_GATEWAYS}}})", legend="replicas out of reach"),
                ),
            ),
            Panel(
                title="Slower than their tempo",
                queries=(
                    Query(
                        expr=f"topk(10, max by (replica, at) (alliage_gateway_slowness{{{_GATEWAYS}}}))",
                        legend="{{replica}} {{at}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        title="Fairness",
        panels=(
            Panel(
                title="Share of the output tokens",
                unit="percentunit",
                stacked=True,
                most=1.0,
                queries=(
                    Query(
                        expr=f"{_rate(_TOKENS, 'tenant', _OUTPUT)}"
                        f" / on () group_left () sum(rate({_TOKENS}{{{_FILTER}{_OUTPUT}}}{_RATE}))",
                        legend="{{tenant}}",
                    ),
                ),
            ),
            Panel(
                title="Running by tenant",
                stacked=True,
                queries=(
                    Query(
                        expr=f"sum by (tenant) (alliage_gateway_num_requests_running{{{_FILTER}}})", legend="{{tenant}}"
                    ),
                ),
            ),
            Panel(title="Time waited, p95", unit="s", queries=_quantile_by(_QUEUE, "tenant")),
        ),
    ),
    Row(
        title="Spending",
        panels=(
            Panel(
                title="An hour, by tenant",
                text="In the currency of the installation, as the gateways reckon; the ledger is what counts.",
                stacked=True,
                queries=(
                    Query(
                        expr=f"sum by (tenant) (increase(alliage_gateway_spent_micros_total{{{_FILTER}}}[1h])) / 1e6",
                        legend="{{tenant}}",
                    ),
                ),
            ),
            Panel(
                title="The last 24 hours, by service",
                queries=(
                    Query(
                        expr=f"sum by (service) (increase(alliage_gateway_spent_micros_total{{{_FILTER}}}[24h])) / 1e6",
                        legend="{{service}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        title="Processes",
        panels=(
            Panel(
                title="Gateways on control's line",
                queries=(
                    Query(expr=f"alliage_gateway_control_connected{{{_GATEWAYS}}}", legend="{{gateway}}"),
                    Query(expr="max(alliage_gateways_connected)", legend="as control has it"),
                ),
            ),
            Panel(
                title="Usage journals",
                unit="bytes",
                queries=(Query(expr=f"alliage_gateway_usage_bytes{{{_GATEWAYS}}}", legend="{{gateway}}"),),
            ),
            Panel(
                title="Lost",
                queries=(
                    Query(
                        expr=f"rate(alliage_gateway_records_lost_total{{{_GATEWAYS}}}{_RATE})",
                        legend="{{gateway}} access log and spans",
                    ),
                    Query(
                        expr=f"rate(alliage_gateway_usage_unwritten_total{{{_GATEWAYS}}}{_RATE})",
                        legend="{{gateway}} usage records",
                    ),
                ),
            ),
        ),
    ),
)
