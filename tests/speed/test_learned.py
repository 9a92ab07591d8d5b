"""What measurements do to a recipe's prediction, on a CPU with invented figures and on published cards."""

from dataclasses import replace
from math import exp

import pytest

from alliage.catalog.records import Precision
from alliage.fleet.ids import NodeId
from alliage.fleet.measured import Measured
from alliage.fleet.replicas import Evidence
from alliage.speed.calibrate import BETWEEN_SD, UNCALIBRATED, WITHIN_SD, calibrate
from alliage.speed.figures import ChipFigures
from alliage.speed.learned import Load, calibration_of, compare, load_of, running_measured, running_of
from alliage.speed.predict import Missing, Running, Speed, Unknown, predict
from tests.builders import a_card, a_measured, a_recipe

LAPTOP = NodeId("laptop")


def a_core(*, bandwidth: float | None = 10e9) -> ChipFigures:
    """One core of a CPU: 10 GB/s, 100 GFLOPS."""
    return ChipFigures(
        id="cpu-x86", kind="cpu", stack="cpu", memory_bytes=None, bandwidth=bandwidth, flops={Precision.FP32: 1e11}
    )


def expected(measured: Measured) -> float:
    """The throughput that is predicted without measurements."""
    speed = predict(running_measured(measured, a_card(), a_core()))
    assert isinstance(speed, Speed)
    return speed.throughput_tps


def at(ratio: float, **more: int) -> Measured:
    """A measurement of so many times the prediction."""
    made = a_measured(**more)  # type: ignore[arg-type]
    return replace(made, throughput_tps=ratio * expected(made))


def asked() -> Running:
    """The recipe at another load than it was measured at."""
    return running_of(a_recipe(), a_card(), a_core(), Load(concurrency=2, input_tokens=500, output_tokens=100))


def test_a_measurement_is_predicted_as_its_recipe_is() -> None:
    """Both ways to a Running are one: recipe and load, or the measurement that holds both; the file's own bytes count."""
    measured = a_measured()
    running = running_of(a_recipe(), a_card(), a_core(), load_of(measured))
    assert running == running_measured(measured, a_card(), a_core())
    assert (running.slots, running.devices, running.precision) == (4, 1, "Q4_1")
    assert running.weight_bytes == a_card().weights.size_bytes


def test_a_prediction_in_another_precision_takes_its_width() -> None:
    """A recipe in a precision that the card's files do not have is not given the files' bytes."""
    other = replace(a_recipe(), precision="BF16")
    running = running_of(other, a_card(), a_core(), load_of(a_measured()))
    assert running.weight_bytes == 2 * a_card().architecture.parameters


def test_both_side_by_side() -> None:
    """The ratio, and whether the measured speed was in the range that was told before."""
    near, far = at(1.3), at(9.0)
    found = [compare(each, predict(running_measured(each, a_card(), a_core()))) for each in (near, far)]
    assert [each.ratio for each in found] == [pytest.approx(1.3), pytest.approx(9.0)]
    assert [each.is_inside for each in found] == [True, False]


def test_nothing_is_compared_with_what_nobody_knows() -> None:
    """A chip without bandwidth has no estimate: the measurement stands alone."""
    measured = a_measured()
    found = compare(measured, predict(running_measured(measured, a_card(), a_core(bandwidth=None))))
    assert found.predicted == Unknown(missing=Missing.BANDWIDTH, value="cpu-x86")
    assert (found.ratio, found.is_inside) == (None, None)


def test_measurements_correct_the_prediction_and_its_evidence() -> None:
    """Half the speed at two loads: the factor is `calibrate`'s of those ratios, and the prediction is `measured`."""
    found = calibration_of([at(0.5, concurrency=1), at(0.5, concurrency=4)], asked(), cores=1, node=LAPTOP)
    assert found == calibrate([0.5, 0.5])
    belief = BETWEEN_SD**2 / (BETWEEN_SD**2 + WITHIN_SD**2 / 2)  # the formula of calibrate's docstring
    assert found.factor == pytest.approx(0.5**belief)
    before, after = predict(asked()), predict(asked(), calibration=found)
    assert isinstance(before, Speed)
    assert isinstance(after, Speed)
    assert after.throughput_tps == pytest.approx(found.factor * before.throughput_tps)
    assert (before.evidence, after.evidence) == (Evidence.ESTIMATED, Evidence.MEASURED)


def test_a_load_that_is_repeated_counts_once_with_its_newest() -> None:
    """Ten probes of one load are one point: the newest, though its prompts were some tokens longer."""
    old = [at(5.0, at_s=at_s, input_tokens=126 + at_s) for at_s in range(9)]
    found = calibration_of([at(1.2, at_s=99), *old], asked(), cores=1, node=LAPTOP)
    assert found == calibrate([1.2])


def test_other_recipes_and_other_nodes_say_nothing() -> None:
    """Another engine, precision, model, number of cores, or another node's CPU."""
    good = at(2.0)
    others = [
        replace(good, engine="vllm"),
        replace(good, precision="Q8_0"),
        replace(good, model="large"),
        replace(good, cores=2),
        replace(good, node=NodeId("other")),
        replace(good, chip="cpu-arm"),
    ]
    assert calibration_of(others, asked(), cores=1, node=LAPTOP) == UNCALIBRATED
    assert calibration_of([*others, good], asked(), cores=1, node=LAPTOP) == calibrate([2.0])


def test_a_card_is_the_same_on_every_node() -> None:
    """Where devices are given whole, what any node measured counts, each node once."""
    card = replace(asked(), chip=replace(a_core(), id="nvidia-h20"))
    seen = [replace(at(exp(0.1)), chip="nvidia-h20", cores=0, node=NodeId(name)) for name in ("a", "b", "b")]
    assert calibration_of(seen, card).points == 2


def test_without_an_estimate_there_is_no_correction() -> None:
    """A measurement cannot correct a prediction that nobody can make."""
    blind = replace(asked(), chip=a_core(bandwidth=None))
    assert calibration_of([at(2.0)], blind, cores=1, node=LAPTOP) == UNCALIBRATED
