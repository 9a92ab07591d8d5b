"""The torch type in which an engine computes a recipe's precision."""

from typing import Final

_TYPES: Final = {"bf16": "bfloat16", "f16": "float16", "fp16": "float16"}


def torch_type(precision: str) -> str:
    """`bfloat16` or `float16` where the recipe says so; `auto` for what is quantised, and F32, which engines narrow."""
    return _TYPES.get(precision.lower(), "auto")
