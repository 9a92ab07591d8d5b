"""fit: who can run a model, in how many devices, and the reasons of those who cannot."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.catalog.records import Sharing
from alliage.decide.fit import Fit, FitAsk, fit
from alliage.decide.places import DEGREES
from alliage.decide.reasons import ReasonCode
from alliage.footprint.weight_bytes import weight_bytes
from alliage.speed.predict import Missing, Speed, Unknown
from alliage.units import GIB
from tests.builders import CATALOG

ASK = FitAsk(
    context_tokens=8192,
    concurrency=16,
    input_tokens=1024,
    output_tokens=256,
    ttft_s=None,
    tpot_s=None,
    chips=frozenset(),
)


def fitted(model: str, **changes: object) -> Fit:
    """The fit of a catalogue model."""
    return fit(CATALOG.models[model], replace(ASK, **changes), CATALOG)  # type: ignore[arg-type]


def test_fp8_is_refused_on_910b_with_what_to_use_instead() -> None:
    """The issue's example: no FP8 on 910B, use INT8 W8A8."""
    found = fitted("qwen3-32b", chips=frozenset({"huawei-910b"}))
    refused = [each.reason for each in found.rejected if each.reason.code is ReasonCode.PRECISION_UNSERVED]
    assert any(reason.facts["precision"] == "FP8" and "INT8" in str(reason.facts["instead"]) for reason in refused)
    assert {(row.way.recipe.engine, row.way.recipe.precision) for row in found.rows} >= {("vllm", "INT8")}


def test_large_model_takes_several_devices_and_weights_fit_in_them() -> None:
    """235 B parameters in 16 bits are 438 GiB: eight cards of 80 GB, of which each has its share."""
    found = fitted("qwen3-235b-a22b", chips=frozenset({"nvidia-h100-sxm"}))
    row = min(
        (row for row in found.rows if row.way.recipe.precision == "BF16" and row.way.recipe.engine == "vllm"),
        key=lambda row: row.way.devices,
    )
    assert row.way.devices == 8
    assert 430 * GIB < row.way.weight_bytes < 450 * GIB
    assert row.way.weight_bytes + row.way.kv_bytes <= row.way.usable_bytes


def test_model_that_is_too_large_for_all_that_may_share_says_how_many_it_needs() -> None:
    """DeepSeek-R1 on T4 cards of 16 GB: more than sixteen of them."""
    found = fitted("deepseek-r1", chips=frozenset({"nvidia-t4"}))
    assert found.rows == ()
    short = [each.reason for each in found.rejected if each.reason.code is ReasonCode.DEVICES_SHORT]
    assert all(int(reason.facts["needed"]) > 16 for reason in short)
    assert {each.reason.code for each in found.rejected} <= {
        ReasonCode.DEVICES_SHORT,
        ReasonCode.PRECISION_UNSERVED,
        ReasonCode.PRECISION_UNKNOWN,
    }


def test_unknown_bandwidth_is_never_a_guess() -> None:
    """A chip whose bandwidth nobody states, and no measurement implies, is shown without figures and last."""
    found = fitted("qwen3-8b")
    unknown = [row for row in found.rows if isinstance(row.speed, Unknown)]
    assert all(row.users is None for row in unknown)
    assert {row.speed.missing for row in unknown if isinstance(row.speed, Unknown)} <= set(Missing)
    first = next((place for place, row in enumerate(found.rows) if isinstance(row.speed, Unknown)), len(found.rows))
    assert all(isinstance(row.speed, Unknown) for row in found.rows[first:])


@settings(max_examples=20)  # each fits a model to three chips twice
@given(tpot_ms=st.integers(5, 500), looser=st.integers(1, 500))
def test_looser_objective_never_carries_fewer_users(tpot_ms: int, looser: int) -> None:
    """Monotonic in what is promised, for every way of running it."""
    chips = frozenset({"nvidia-h20", "huawei-910b", "amd-mi300x"})

    def users(milliseconds: int) -> dict[tuple[str, str, str], int]:
        found = fitted("qwen3-32b", chips=chips, tpot_s=milliseconds / 1000)
        return {
            (row.way.recipe.chip, row.way.recipe.engine, row.way.recipe.precision): row.users or 0 for row in found.rows
        }

    tight, loose = users(tpot_ms), users(tpot_ms + looser)
    assert tight.keys() == loose.keys()
    assert all(loose[way] >= count for way, count in tight.items())


@pytest.mark.parametrize("model", sorted(CATALOG.models))
def test_every_model_gets_an_answer_from_every_chip(model: str) -> None:
    """A way or a reason for each chip that is no CPU; the memory of each way holds what it must."""
    found = fitted(model)
    words = {word for each in found.rejected for word in each.option.split()} | {
        row.way.recipe.chip for row in found.rows
    }
    assert {chip.id for chip in CATALOG.chips.values() if chip.sharing is Sharing.WHOLE} <= words
    for row in found.rows:
        assert row.way.weight_bytes + row.way.kv_bytes <= row.way.usable_bytes
        assert row.way.devices in DEGREES
        assert row.way.weight_bytes == weight_bytes(CATALOG.models[model].architecture, row.way.recipe.precision)
        assert isinstance(row.speed, Speed | Unknown)
