"""slowing: what running streams show of replicas, as measurements: for those that gateways found to have become slow. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.control.seen import Seen, measured_of, predicted
from alliage.decide.carrying import lengths_of
from alliage.fleet.ids import ReplicaId
from alliage.fleet.measured import Measured
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

NOW_S: Final = 3.0
"""What running streams show is of about so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the streams that run show, and the output tokens a second that were predicted in its place."""

    measured: Measured
    predicted_tps: float


def slow_ones(doors: Iterable[DoorReport]) -> frozenset[ReplicaId]:
    """Replicas that a gateway sees to have become slow. One that says nothing at all hangs: that has its own deadlines."""
    return frozenset(key for door in doors for key, seen in door.replicas.items() if seen.is_slow and seen.step_s > 0)


def running_now(
    view: FleetView, replica: Replica, doors: Iterable[DoorReport], catalog: Catalog, wall_s: float
) -> Running | None:
    """By the streams that run: first tokens are taken to come as predicted, as much later as the others come."""
    seen = [each for door in doors if (each := door.replicas.get(replica.id)) is not None and each.step_s > 0]
    at_once = sum(each.in_flight for each in seen)
    node = view.node(replica.node)
    if not at_once or node is None:
        return None
    concurrency = min(replica.recipe.concurrency, at_once)
    input_tokens, output_tokens = lengths_of(replica.recipe, view.demand.get(replica.service))
    tokens = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    speed = predicted(replica, view, catalog, **tokens, concurrency=concurrency)
    if speed is None or not speed.tpot_s:
        return None
    tpot_s = sum(each.step_s * each.in_flight for each in seen) / at_once
    figures = Seen(
        at_s=wall_s,
        concurrency=concurrency,
        input_tokens=input_tokens,
        output_tokens=max(2, output_tokens),
        ttft_s=speed.ttft_s * max(1.0, tpot_s / speed.tpot_s),
        tpot_s=tpot_s,
        requests=at_once,
        duration_s=NOW_S,
    )
    return Running(measured=measured_of(replica, node, figures), predicted_tps=speed.throughput_tps)
