"""Predictions: monotone, consistent, honest about what is not known."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.fleet.replicas import Evidence
from alliage.speed.calibrate import calibrate
from alliage.speed.figures import chip_figures, model_figures
from alliage.speed.predict import (
    SPREAD,
    SPREAD_MEASURED,
    SPREAD_UNSEEN,
    Missing,
    Running,
    Speed,
    Unknown,
    concurrency_within,
    predict,
)
from tests.speed.running import h100, llama_70b, running

RUNNINGS = st.builds(
    running,
    concurrency=st.integers(1, 2000),
    input_tokens=st.integers(1, 16_000),
    output_tokens=st.integers(1, 4000),
    engine=st.sampled_from(["vllm", "sglang", "an-engine-nobody-measured"]),
    precision=st.sampled_from(["BF16", "FP8", "AWQ-INT4"]),
)


def known(one: Running) -> Speed:
    """The speed, which must be known."""
    speed = predict(one)
    assert isinstance(speed, Speed)
    return speed


@given(RUNNINGS)
def test_more_requests_never_lower_throughput(one: Running) -> None:
    """A larger batch reads the same weights for more tokens."""
    more = replace(one, concurrency=one.concurrency + 1)
    assert known(more).throughput_tps >= known(one).throughput_tps * (1 - 1e-9)


@given(RUNNINGS)
def test_more_requests_never_shorten_waiting(one: Running) -> None:
    """Neither the first token nor the time between tokens comes sooner with more requests in flight."""
    speed, more = known(one), known(replace(one, concurrency=one.concurrency + 1))
    assert more.ttft_s >= speed.ttft_s * (1 - 1e-9)
    assert more.tpot_s >= speed.tpot_s * (1 - 1e-9)


@given(RUNNINGS, st.floats(1.0, 10.0))
def test_more_bandwidth_is_never_slower(one: Running, times: float) -> None:
    """All else equal."""
    faster = replace(one, chip=h100(bandwidth=3.35e12 * times))
    assert known(faster).throughput_tps >= known(one).throughput_tps * (1 - 1e-9)
    assert known(faster).ttft_s <= known(one).ttft_s * (1 + 1e-9)


@given(RUNNINGS)
def test_littles_law_holds(one: Running) -> None:
    """Requests in flight = rate x time that each stays: throughput, TTFT and TPOT tell one story."""
    speed = known(one)
    rate = speed.throughput_tps / one.output_tokens
    stays = speed.ttft_s + max(one.output_tokens - 1, 1) * speed.tpot_s
    step = speed.batch / speed.decode_tps
    assert rate * (stays - step) == pytest.approx(one.concurrency, rel=1e-6)


@given(RUNNINGS)
def test_the_interval_holds_the_estimate(one: Running) -> None:
    """Low and high are the figure over and times the spread."""
    speed = known(one)
    assert speed.throughput_low_tps < speed.throughput_tps < speed.throughput_high_tps
    assert speed.throughput_high_tps == pytest.approx(speed.throughput_tps * speed.spread)


def test_a_chip_nobody_measured_gets_defaults_and_a_wide_interval() -> None:
    """Levels that were never seen multiply by 1."""
    speed = known(running(chip=h100(chip_id="acme-one"), engine="acme-serve", precision="W8A16"))
    assert speed.spread == SPREAD_UNSEEN
    assert known(running()).spread == SPREAD
    assert speed.evidence is Evidence.ESTIMATED


def test_measured_points_calibrate() -> None:
    """One point makes the figure measured, moves it by nearly its ratio, and narrows the interval."""
    plain = known(running())
    speed = predict(running(), calibration=calibrate([2.0]))
    assert isinstance(speed, Speed)
    assert speed.evidence is Evidence.MEASURED
    assert speed.spread == SPREAD_MEASURED
    assert 1.7 < speed.throughput_tps / plain.throughput_tps < 2.0
    assert 1.7 < plain.ttft_s / speed.ttft_s < 2.0


def test_unknown_bandwidth_is_unknown() -> None:
    """No source states the bandwidth of the Zhenwu M890, and no measured row implies it: no figure, and the reason."""
    chip = chip_figures(load_catalog().chips["thead-ppu-m890"])
    assert predict(running(chip=chip)) == Unknown(missing=Missing.BANDWIDTH, value="thead-ppu-m890")
    assert concurrency_within(running(chip=chip), tpot_s=1.0) == 0


def test_a_bandwidth_that_measured_rows_imply_is_marked() -> None:
    """The PPU-810E's is unknown too, but it has measured rows: the figure says that it stands on those, and is wide."""
    catalog = load_catalog()
    chip = chip_figures(catalog.chips["thead-ppu-810e"])
    model = model_figures("qwen3-8b", catalog.models["qwen3-8b"].architecture)
    assert chip.bandwidth is None
    speed = known(running(chip=chip, model=model, precision="BF16", devices=1))
    assert speed.bandwidth_is_fitted
    assert speed.spread == SPREAD_UNSEEN


def test_what_facts_lack_is_named() -> None:
    """A format without a known rate, a precision that nobody knows, a card without counts, weights that do not fit."""
    chip = replace(h100(), flops={})
    assert predict(running(chip=chip)) == Unknown(missing=Missing.COMPUTE, value="nvidia-h100-sxm in FP8")
    assert predict(running(precision="FP5")) == Unknown(missing=Missing.PRECISION, value="FP5")
    bare = replace(llama_70b(), parameters=0.0)
    assert predict(running(model=bare)) == Unknown(missing=Missing.PARAMETERS, value="llama-3.1-70b")
    assert predict(running(devices=1, precision="BF16")) == Unknown(missing=Missing.MEMORY, value="1 x nvidia-h100-sxm")


@pytest.mark.parametrize(
    ("absurd", "said"),
    [
        (running(concurrency=0), "`concurrency` is 0"),
        (running(concurrency=10**12), "`concurrency` is 1000000000000"),
        (running(input_tokens=-1), "`input_tokens` is -1"),
        (running(output_tokens=0), "`output_tokens` is 0"),
        (running(devices=0), "`devices` is 0"),
    ],
)
def test_absurd_counts_are_refused(absurd: Running, said: str) -> None:
    """The field and its value are named."""
    with pytest.raises(BadInput, match=said):
        predict(absurd)


@pytest.mark.parametrize("value", [0.0, -1.0, inf, float("nan")])
def test_absurd_sizes_are_refused(value: float) -> None:
    """Memory that no device has."""
    with pytest.raises(BadInput, match="`memory_bytes` is"):
        predict(running(memory_bytes=value))


def test_concurrency_within_is_the_last_that_keeps_the_limit() -> None:
    """One more request breaks it; a limit below one request's own time is kept by none."""
    most = concurrency_within(running(), tpot_s=0.05)
    assert most > 1
    assert known(running(concurrency=most)).tpot_s <= 0.05 < known(running(concurrency=most + 1)).tpot_s
    assert concurrency_within(running(), tpot_s=1e-6) == 0
    room = concurrency_within(running())
    assert known(running(concurrency=room + 1)).batch == room


def test_graphs_beat_eager() -> None:
    """The stack matters more than the silicon: the same chip and engine without graphs is much slower on one stream."""
    eager, graphs = (known(running(engine=engine, concurrency=1)) for engine in ("vllm-eager", "vllm"))
    assert graphs.decode_tps > 1.5 * eager.decode_tps
