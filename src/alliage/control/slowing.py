"""slowing: what running streams show of replicas, as measurements: for those that gateways found to have become slow. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.decide.carrying import lengths_of, running_at
from alliage.decide.places import place_of_node
from alliage.fleet.ids import ReplicaId
from alliage.fleet.measured import Measured, Origin, measured_on
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, predict

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
    if not at_once or node is None or replica.recipe.chip not in catalog.chips:
        return None
    concurrency = min(replica.recipe.concurrency, at_once)
    input_tokens, output_tokens = lengths_of(replica.recipe, view.demand.get(replica.service))
    speed = _predicted(view, replica, node, catalog, (input_tokens, output_tokens, concurrency))
    if speed is None or not speed.tpot_s:
        return None
    tpot_s = sum(each.step_s * each.in_flight for each in seen) / at_once
    ttft_s, recipe = speed.ttft_s * max(1.0, tpot_s / speed.tpot_s), replica.recipe
    measured = Measured(
        at_s=wall_s,
        service=replica.service,
        node=replica.node,
        chip=recipe.chip,
        engine=recipe.engine,
        engine_version=next((each.version for each in node.engines if each.engine == recipe.engine), ""),
        model=recipe.model,
        precision=recipe.precision,
        devices=recipe.devices,
        cores=recipe.cores,
        slots=recipe.concurrency,
        concurrency=concurrency,
        input_tokens=input_tokens,
        output_tokens=max(2, output_tokens),
        throughput_tps=concurrency * output_tokens / (ttft_s + (output_tokens - 1) * tpot_s),
        decode_tps=concurrency / tpot_s,
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        requests=at_once,
        duration_s=NOW_S,
        origin=Origin.GATEWAY,
        is_rehearsed=node.is_rehearsed,
    )
    return Running(measured=measured, predicted_tps=speed.throughput_tps)


def _predicted(
    view: FleetView, replica: Replica, node: Node, catalog: Catalog, load: tuple[int, int, int]
) -> Speed | None:
    """Of prompts and answers of so many tokens, so many at once."""
    recipe, (input_tokens, output_tokens, concurrency) = replica.recipe, load
    devices = tuple(each for each in node.devices if each.chip == recipe.chip)
    if not devices:
        return None
    place = place_of_node(catalog.chips[recipe.chip], node, devices)
    model = view.service(replica.service).model
    running = running_at(model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens)
    known = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
    calibration = calibration_of(known, running, cores=recipe.cores, node=node.id)
    speed = predict(replace(running, concurrency=concurrency), calibration=calibration)
    return speed if isinstance(speed, Speed) else None
