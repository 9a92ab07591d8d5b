"""What measurements say of a recipe's prediction: the correction, and the two side by side. Pure.

A measurement and a prediction are held against each other by their throughput: output tokens a second over everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log, log2
from statistics import fmean

from alliage.catalog.records import ModelCard
from alliage.fleet.ids import NodeId
from alliage.fleet.measured import Measured, Origin
from alliage.fleet.replicas import Recipe
from alliage.footprint.memory import weight_file_bytes
from alliage.footprint.weight_bytes import weight_bytes
from alliage.speed.calibrate import UNCALIBRATED, Calibration, calibrate
from alliage.speed.efficiency import Coefficients, committed
from alliage.speed.figures import ChipFigures, model_figures
from alliage.speed.formats import number_format
from alliage.speed.predict import Running, Speed, Unknown, levels_of, predict


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of one replica: so many requests always in flight, each of so many tokens."""

    concurrency: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A measurement beside what was to be expected. `ratio` and `is_inside` are None where nothing could be said before."""

    measured: Measured
    predicted: Speed | Unknown
    ratio: float | None
    """Measured over predicted throughput."""
    is_inside: bool | None
    """Whether the measured throughput lies in the predicted range."""


def load_of(measured: Measured) -> Load:
    """The load under which it was measured."""
    return Load(
        concurrency=measured.concurrency, input_tokens=measured.input_tokens, output_tokens=measured.output_tokens
    )


def running_of(recipe: Recipe, card: ModelCard, chip: ChipFigures, load: Load) -> Running:
    """One replica of the recipe at work; `chip` are the figures of one of its devices (of its cores, for a CPU)."""
    return _running(
        card,
        chip,
        load,
        engine=recipe.engine,
        precision=recipe.precision,
        devices=recipe.devices,
        slots=recipe.concurrency,
    )


def running_measured(measured: Measured, card: ModelCard, chip: ChipFigures) -> Running:
    """What was measured, as `running_of` would have it."""
    return _running(
        card,
        chip,
        load_of(measured),
        engine=measured.engine,
        precision=measured.precision,
        devices=measured.devices,
        slots=measured.slots,
    )


def compare(measured: Measured, predicted: Speed | Unknown) -> Comparison:
    """Both, and how they stand to each other."""
    if isinstance(predicted, Unknown):
        return Comparison(measured=measured, predicted=predicted, ratio=None, is_inside=None)
    found = measured.throughput_tps
    return Comparison(
        measured=measured,
        predicted=predicted,
        ratio=found / predicted.throughput_tps,
        is_inside=predicted.throughput_low_tps <= found <= predicted.throughput_high_tps,
    )


def calibration_of(
    measured: Iterable[Measured],
    running: Running,
    *,
    cores: int = 0,
    node: NodeId | None = None,
    coefficients: Coefficients | None = None,
) -> Calibration:
    """The correction that measurements of this recipe imply for `running`; none of them: UNCALIBRATED.

    `measured` may hold those of other recipes, which are passed over. A recipe that shares its chip in `cores` is one
    of a `node`'s own CPU: only what that node did counts. A measurement counts once a load (`_apart`), the newest one; where
    gateways saw the recipe at work, nothing else does, and what they saw of it counts on other numbers of devices too.
    """
    known, measured = coefficients or committed(), tuple(measured)
    mine = [each for each in measured if _is_same(each, running, cores=cores, node=node)]
    seen = [each for each in mine if each.origin is Origin.GATEWAY]
    if not mine:  # on another number of devices it is likely to be as good or bad as on this one
        seen = [each for each in measured if each.origin is Origin.GATEWAY and _is_near(each, running, cores=cores)]
    ratios = [ratio for each in _apart(seen or mine) if (ratio := _ratio(each, running, known)) is not None]
    if seen and ratios:  # each stands on many requests of those that come: it is believed as it is
        return Calibration(factor=exp(fmean(log(ratio) for ratio in ratios)), points=len(ratios))
    form = number_format(running.precision)
    if not ratios or form is None:
        return UNCALIBRATED
    levels = levels_of(running.chip, running.model, engine=running.engine, form=form)
    return calibrate(ratios, was_fitted=known.knows(levels))


def _running(
    card: ModelCard, chip: ChipFigures, load: Load, *, engine: str, precision: str, devices: int, slots: int
) -> Running:
    own = precision == card.precision
    return Running(
        chip=chip,
        model=model_figures(card.id, card.architecture),
        engine=engine,
        precision=precision,
        devices=devices,
        concurrency=load.concurrency,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        weight_bytes=(weight_file_bytes(card) if own else weight_bytes(card.architecture, precision)) or None,
        slots=slots,
    )


def _is_same(measured: Measured, running: Running, *, cores: int, node: NodeId | None) -> bool:
    asked = (running.chip.id, running.model.id, running.engine, running.precision, running.devices, cores)
    key = measured.key
    found = (key.chip, key.model, key.engine, key.precision, key.devices, key.cores)
    return asked == found and (not cores or measured.node == node)


def _is_near(measured: Measured, running: Running, *, cores: int) -> bool:
    """The same but for the number of devices."""
    asked = (running.chip.id, running.model.id, running.engine, running.precision, cores)
    key = measured.key
    return asked == (key.chip, key.model, key.engine, key.precision, key.cores)


def _apart(measured: Sequence[Measured]) -> list[Measured]:
    """The newest of each load: repeating one says nothing new of the model's error, so it is no further evidence.

    Loads are the same on one node at one concurrency with lengths of the same power of two.
    """
    newest: dict[tuple[object, ...], Measured] = {}
    for each in sorted(measured, key=lambda one: one.at_s):
        lengths = (round(log2(each.input_tokens)), round(log2(each.output_tokens)))
        newest[each.node, each.concurrency, lengths] = each
    return list(newest.values())


def _ratio(measured: Measured, running: Running, known: Coefficients) -> float | None:
    load = load_of(measured)
    then = replace(
        running,
        devices=measured.devices,
        concurrency=load.concurrency,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        slots=measured.slots,
    )
    speed = predict(then, coefficients=known)
    return None if isinstance(speed, Unknown) else measured.throughput_tps / speed.throughput_tps
