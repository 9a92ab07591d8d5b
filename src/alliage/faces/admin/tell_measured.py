"""Measurements -> answers, each beside the estimate of the same load."""

from collections.abc import Iterable

from alliage.catalog.records import Catalog, ModelCard
from alliage.faces.admin.measurement_answers import EstimateAnswer, MeasurementAnswer
from alliage.fleet.ids import ServiceName
from alliage.fleet.measured import Measured, recipe_key
from alliage.fleet.replicas import Evidence
from alliage.fleet.view import FleetView
from alliage.speed.figures import ChipFigures, chip_figures, node_figures, of_cores
from alliage.speed.learned import Comparison, compare, running_measured
from alliage.speed.predict import Speed, predict


def tell_measured(measured: Measured, view: FleetView, catalog: Catalog) -> MeasurementAnswer:
    """One measurement; the estimate is today's model's, without what was measured."""
    card, chip = _card(measured, view, catalog), device_figures(measured, view, catalog)
    if card is None or chip is None:
        lacking = f"the card of model {measured.model}" if card is None else f"the chip {measured.chip}"
        return _answer(measured, None, unknown=f"{lacking} is not known any more")
    found = compare(measured, predict(running_measured(measured, card, chip)))
    if isinstance(found.predicted, Speed):
        return _answer(measured, found, unknown="")
    return _answer(measured, found, unknown=f"{found.predicted.missing} of {found.predicted.value}")


def tell_measured_of(
    service: ServiceName, measured: Iterable[Measured], view: FleetView, catalog: Catalog
) -> tuple[MeasurementAnswer, ...]:
    """What was measured of the recipes that the service runs by, whoever measured it; the newest first."""
    mine = {(each.node if each.recipe.cores else None, recipe_key(each.recipe)) for each in view.replicas_of(service)}
    found = (each for each in measured if (each.node if each.cores else None, each.key) in mine)
    return tuple(tell_measured(each, view, catalog) for each in found)


def device_figures(measured: Measured, view: FleetView, catalog: Catalog) -> ChipFigures | None:
    """The figures of the device that was measured. Those of cores are what its node found out of its CPU."""
    chip, node = catalog.chips.get(measured.chip), view.node(measured.node)
    if chip is None:
        return None
    device = next((each for each in node.devices if each.chip == chip.id), None) if node is not None else None
    if not measured.cores or device is None:
        return chip_figures(chip)
    return of_cores(node_figures(chip, device.figures, cores=len(device.cores)), measured.cores)


def _card(measured: Measured, view: FleetView, catalog: Catalog) -> ModelCard | None:
    """The card that the service has, or another with that model; the catalogue's where nobody has it any more."""
    by_name = sorted(view.services, key=lambda service: service.name != measured.service)
    return next((each.model for each in by_name if each.model.id == measured.model), catalog.models.get(measured.model))


def _answer(measured: Measured, found: Comparison | None, *, unknown: str) -> MeasurementAnswer:
    speed = found.predicted if found is not None and isinstance(found.predicted, Speed) else None
    return MeasurementAnswer(
        at_s=measured.at_s,
        service=measured.service,
        node=measured.node,
        chip=measured.chip,
        engine=measured.engine,
        engine_version=measured.engine_version,
        model=measured.model,
        precision=measured.precision,
        devices=measured.devices,
        cores=measured.cores,
        slots=measured.slots,
        concurrency=measured.concurrency,
        input_tokens=measured.input_tokens,
        output_tokens=measured.output_tokens,
        throughput_tps=measured.throughput_tps,
        decode_tps=measured.decode_tps,
        ttft_s=measured.ttft_s,
        tpot_s=measured.tpot_s,
        requests=measured.requests,
        duration_s=measured.duration_s,
        origin=measured.origin,
        evidence=Evidence.MEASURED,
        estimated=None if speed is None else _estimate(speed),
        ratio=None if found is None else found.ratio,
        unknown=unknown,
    )


def _estimate(speed: Speed) -> EstimateAnswer:
    return EstimateAnswer(
        throughput_tps=speed.throughput_tps,
        throughput_low_tps=speed.throughput_low_tps,
        throughput_high_tps=speed.throughput_high_tps,
        decode_tps=speed.decode_tps,
        ttft_s=speed.ttft_s,
        tpot_s=speed.tpot_s,
    )
