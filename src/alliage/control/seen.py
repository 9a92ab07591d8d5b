"""seen: figures that gateways saw of a replica -> a measurement of its recipe there, and what was predicted for it. Pure."""

from dataclasses import dataclass, replace

from alliage.catalog.records import Catalog
from alliage.decide.carrying import running_at
from alliage.decide.places import place_of_node
from alliage.fleet.measured import Measured, Origin, measured_on
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, predict


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The figures of a measurement, as Measured says."""

    at_s: float
    concurrency: int
    input_tokens: int
    output_tokens: int
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float


def measured_of(replica: Replica, node: Node, seen: Seen) -> Measured:
    """What was seen, as a measurement of the replica's recipe there."""
    recipe, answer_s = replica.recipe, seen.ttft_s + (seen.output_tokens - 1) * seen.tpot_s
    return Measured(
        at_s=seen.at_s,
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
        concurrency=seen.concurrency,
        input_tokens=seen.input_tokens,
        output_tokens=seen.output_tokens,
        throughput_tps=seen.concurrency * seen.output_tokens / answer_s,
        decode_tps=seen.concurrency / seen.tpot_s,
        ttft_s=seen.ttft_s,
        tpot_s=seen.tpot_s,
        requests=seen.requests,
        duration_s=seen.duration_s,
        origin=Origin.GATEWAY,
        is_rehearsed=node.is_rehearsed,
    )


def predicted(
    replica: Replica, view: FleetView, catalog: Catalog, *, input_tokens: int, output_tokens: int, concurrency: int
) -> Speed | None:
    """Of prompts and answers of so many tokens, so many at once, some of which may wait for a slot; None: not known."""
    node, recipe = view.node(replica.node), replica.recipe
    devices = () if node is None else tuple(each for each in node.devices if each.chip == recipe.chip)
    if node is None or not devices or recipe.chip not in catalog.chips:
        return None
    running = running_at(
        view.service(replica.service).model,
        recipe,
        place_of_node(catalog.chips[recipe.chip], node, devices),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    running = replace(running, concurrency=concurrency, slots=recipe.concurrency)
    known = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
    speed = predict(running, calibration=calibration_of(known, running, cores=recipe.cores, node=node.id))
    return speed if isinstance(speed, Speed) else None
