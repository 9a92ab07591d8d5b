"""From figures that somebody measured to a Measured: what the replica is comes from control, the figures are checked. Pure."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from alliage.errors import BadInput
from alliage.fleet.measured import Measured, Origin
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica

COUNTS_MAX: Final = {"concurrency": 4096, "input_tokens": 10**7, "output_tokens": 10**6, "requests": 10**6}
FIGURES_MAX: Final = {
    "throughput_tps": 1e7,
    "decode_tps": 1e7,
    "ttft_s": 3600.0,
    "tpot_s": 3600.0,
    "duration_s": 86_400.0,
}
"""Above these it is no measurement of one replica: no published one comes near."""
TOKENS_APART: Final = 0.1
"""Throughput over the duration may differ so much from the tokens that were told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOrder:
    """Figures of one load on one replica, as Measured says."""

    replica: str
    concurrency: int
    input_tokens: int
    output_tokens: int
    throughput_tps: float
    decode_tps: float
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float


def measured_by(order: MeasureOrder, replica: Replica, node: Node | None, *, now_s: float) -> Measured:
    """The measurement that an order tells of; BadInput for figures that cannot be."""
    check_figures(order)
    recipe = replica.recipe
    if order.input_tokens + order.output_tokens > recipe.context_tokens:
        raise BadInput(
            f"{order.input_tokens} + {order.output_tokens} tokens are more than the {recipe.context_tokens} "
            f"that a request of {replica.id} may hold",
            remedy="tell what was measured of this replica",
        )
    engines = node.engines if node is not None else ()
    return Measured(
        at_s=now_s,
        service=replica.service,
        node=replica.node,
        chip=recipe.chip,
        engine=recipe.engine,
        engine_version=next((each.version for each in engines if each.engine == recipe.engine), ""),
        model=recipe.model,
        precision=recipe.precision,
        devices=recipe.devices,
        cores=recipe.cores,
        slots=recipe.concurrency,
        concurrency=order.concurrency,
        input_tokens=order.input_tokens,
        output_tokens=order.output_tokens,
        throughput_tps=order.throughput_tps,
        decode_tps=order.decode_tps,
        ttft_s=order.ttft_s,
        tpot_s=order.tpot_s,
        requests=order.requests,
        duration_s=order.duration_s,
        origin=Origin.PROBE,
    )


def check_figures(order: MeasureOrder) -> None:
    """Raise BadInput for a figure that is none, is absurd, or does not go with the others."""
    for name, most in COUNTS_MAX.items():
        least = 2 if name == "output_tokens" else 1  # one token has no time between tokens
        if not least <= getattr(order, name) <= most:
            raise BadInput(f"{name} is {getattr(order, name)!r}", remedy=f"give a whole number from {least} to {most}")
    for name, largest in FIGURES_MAX.items():
        value = getattr(order, name)
        if not (isfinite(value) and 0 < value <= largest):
            raise BadInput(f"{name} is {value!r}", remedy=f"give a number above 0 and at most {largest:g}")
    told, implied = order.requests * order.output_tokens, order.throughput_tps * order.duration_s
    if abs(implied - told) > TOKENS_APART * told:
        raise BadInput(
            f"throughput_tps x duration_s is {implied:.0f} tokens, requests x output_tokens {told}",
            remedy="tell the throughput over the whole duration",
        )
    if order.ttft_s > order.duration_s:
        raise BadInput(f"ttft_s {order.ttft_s!r} is longer than duration_s {order.duration_s!r}")
