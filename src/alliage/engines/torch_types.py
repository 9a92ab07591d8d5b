"""The torch type in which an engine computes a recipe's precision."""

from typing import Final

from alliage.catalog.records import OnStack, Precision

_TYPES: Final = {Precision.BF16: "bfloat16", Precision.FP16: "float16"}
_HALVES: Final = {
    "bf16": (Precision.BF16, Precision.FP16),
    "fp16": (Precision.FP16, Precision.BF16),
    "f16": (Precision.FP16, Precision.BF16),
}


def torch_type(precision: str, facts: OnStack, chip: str) -> str:
    """`bfloat16` or `float16` for weights in 16 bits; `auto` for what is quantised, and F32, which engines narrow.

    A plan rests on either of both being served on the chip: where only the other one is, that is what to compute in.
    """
    halves = _HALVES.get(precision.lower())
    if halves is None:
        return "auto"
    served = (half for half in halves if (said := facts.serving(half, chip)) is not None and said.served.value)
    return _TYPES[next(served, halves[0])]
