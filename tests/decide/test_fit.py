"""fit: who can run a model, in how many devices, and the reasons of those who cannot."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.catalog.records import Confidence, Fact, Precision, Serving, Sharing
from alliage.decide.fit import Fit, FitAsk, fit
from alliage.decide.places import DEGREES
from alliage.decide.reasons import Reason, ReasonCode
from alliage.fleet.replicas import Recipe
from alliage.footprint.memory import weight_file_bytes
from alliage.footprint.weight_bytes import weight_bytes
from alliage.speed.predict import Missing, Speed, Unknown
from alliage.units import GIB
from tests.builders import CATALOG

UNKNOWN, UNSERVED = ReasonCode.PRECISION_UNKNOWN, ReasonCode.PRECISION_UNSERVED
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


def test_bf16_model_can_be_planned_on_a_metax_c500() -> None:
    """Its maker's plugin serves BF16: there is a way, and no reason speaks of that precision."""
    found = fitted("qwen3-8b", chips=frozenset({"metax-c500"}))
    assert {(row.way.recipe.engine, row.way.recipe.precision) for row in found.rows} >= {("vllm", "BF16")}
    assert not [each for each in found.rejected if each.option.endswith("in BF16")]


def served(precision: Precision, *, value: bool | None, instead: str = "") -> Serving:
    """What is said of a precision on all chips of a stack."""
    confidence = Confidence.UNKNOWN if value is None else Confidence.VENDOR
    fact = Fact(value=value, confidence=confidence, source="" if value is None else "a page")
    return Serving(precision=precision, chips=(), served=fact, instead=instead)


def refusal(precision: str, *said: Serving) -> Reason | None:
    """Why vLLM does not serve a model in the precision on a BR106 when only `said` is known; None when it does."""
    engine = CATALOG.engines["vllm"]
    on = engine.on_stack("biren")
    assert on is not None
    engine = replace(engine, on=(replace(on, precisions=said),))
    catalog = replace(CATALOG, engines={engine.id: engine})
    model = replace(CATALOG.models["qwen3-8b"], precision=precision)
    found = fit(model, replace(ASK, chips=frozenset({"biren-br106"})), catalog)
    mine = [each.reason for each in found.rejected if each.option.endswith(f" in {precision}")]
    return next((reason for reason in mine if reason.code in {UNKNOWN, UNSERVED}), None)


BF16_SERVED = served(Precision.BF16, value=True)
BF16_UNKNOWN = served(Precision.BF16, value=None)
BF16_REFUSED = served(Precision.BF16, value=False, instead="FP16")
FP16_SERVED = served(Precision.FP16, value=True)
FP16_REFUSED = served(Precision.FP16, value=False, instead="BF16")
FP8_REFUSED = served(Precision.FP8, value=False, instead="INT8 W8A8")


@pytest.mark.parametrize(
    ("precision", "said", "code", "instead"),
    [
        ("BF16", (), UNKNOWN, None),
        ("BF16", (FP16_REFUSED,), UNKNOWN, None),
        ("BF16", (FP16_REFUSED, BF16_UNKNOWN), UNKNOWN, None),
        ("BF16", (FP16_REFUSED, BF16_SERVED), None, None),
        ("BF16", (BF16_REFUSED,), UNSERVED, "FP16"),
        ("BF16", (BF16_REFUSED, FP16_SERVED), None, None),
        ("BF16", (BF16_REFUSED, FP16_REFUSED), UNSERVED, ""),
        ("FP16", (FP16_REFUSED,), UNSERVED, "BF16"),
        ("FP16", (BF16_REFUSED,), UNKNOWN, None),
        ("F16", (BF16_REFUSED, FP16_REFUSED), UNSERVED, ""),
        ("FP8", (FP16_REFUSED, FP8_REFUSED), UNSERVED, "INT8 W8A8"),
        ("FP8", (BF16_SERVED,), UNKNOWN, None),
        ("a name not known", (BF16_SERVED, FP8_REFUSED), UNKNOWN, None),
    ],
)
def test_precision_is_unknown_where_only_its_sibling_is_refused(
    precision: str, said: tuple[Serving, ...], code: ReasonCode | None, instead: str | None
) -> None:
    """Weights in 16 bits are served as either format; what refuses one says nothing of the other."""
    reason = refusal(precision, *said)
    assert (reason and reason.code) == code
    assert (reason and reason.facts.get("instead")) == instead


@pytest.mark.parametrize("precision", ["BF16", "FP16"])
def test_what_to_use_instead_is_never_the_precision_itself(precision: str) -> None:
    """On no chip of the catalogue, in any engine; nor for what 16 bits are packed to."""
    found = fit(replace(CATALOG.models["qwen3-8b"], precision=precision), ASK, CATALOG)
    refused = [each.reason.facts for each in found.rejected if each.reason.code is UNSERVED]
    assert {facts["precision"] for facts in refused} >= {"FP8", "INT8"}
    assert not [facts for facts in refused if facts["instead"] == facts["precision"]]


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

    def users(milliseconds: int) -> dict[Recipe, int]:
        found = fitted("qwen3-32b", chips=chips, tpot_s=milliseconds / 1000)
        return {row.way.recipe: row.users or 0 for row in found.rows}

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
        told = weight_bytes(CATALOG.models[model].architecture, row.way.recipe.precision)
        assert row.way.weight_bytes == (weight_file_bytes(CATALOG.models[model]) if told is None else told)
        assert isinstance(row.speed, Speed | Unknown)
