"""Names of number formats."""

import pytest

from alliage.catalog.records import Precision
from alliage.speed.formats import number_format


@pytest.mark.parametrize(
    ("precision", "name", "size"),
    [
        ("BF16", "bf16", 2.0),
        ("BF16/FP16", "bf16", 2.0),
        ("F16", "fp16", 2.0),
        ("fp8", "fp8", 1.03),
        ("W8A8-INT8", "int8", 1.03),
        ("GPTQ-Int8", "int8-weights", 1.03),
        ("AWQ-INT4", "int4", 0.58),
        ("UINT4", "int4", 0.58),
        ("NVFP4", "fp4", 0.58),
        ("MXFP4", "mxfp4", 0.58),
        ("Q4_K_M", "gguf-4", 0.5625),
        ("Q8_0", "gguf-8", 1.0625),
    ],
)
def test_names_that_files_and_reports_use(precision: str, name: str, size: float) -> None:
    """The same format under its spellings, with bytes a parameter (ggml's blocks: 144 for 256, 34 for 32 values)."""
    form = number_format(precision)
    assert form is not None
    assert (form.name, form.bytes_per_parameter) == (name, size)


def test_weights_in_eight_bits_are_not_computed_in_eight() -> None:
    """GPTQ unpacks to 16 bits, W8A8 multiplies in INT8."""
    packed, both = number_format("GPTQ-INT8"), number_format("W8A8")
    assert packed is not None
    assert both is not None
    assert packed.computes[0] is Precision.BF16
    assert both.computes[0] is Precision.INT8


def test_a_name_not_known_is_none() -> None:
    """No guess at a format."""
    assert number_format("INT3-secret") is None
    assert number_format("") is None
