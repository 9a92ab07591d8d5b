"""Number formats of weights, as engines, files and reports call them: bytes a parameter, and what is computed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from alliage.catalog.records import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """`name` is the level that coefficients know; `computes` lists what it is computed in, the preferred one first."""

    name: str
    bytes_per_parameter: float
    computes: tuple[Precision, ...]


_WIDE: Final = (Precision.BF16, Precision.FP16, Precision.FP32)
_QUANTISED: Final = (Precision.INT8, *_WIDE)
"""llama.cpp multiplies quantised weights with activations in 8 bits."""
_NARROW: Final = (Precision.FP8, *_WIDE)

# Bytes: FP8 and INT8 carry scales of blocks of 128 (1 + 4/128); 4-bit formats a scale of 16 bits in 128 values (AWQ,
# GPTQ), one of 8 bits in 16 (NVFP4) or 32 (MXFP4), and some layers left in 16 bits: 0.58 is what such files have in the
# mean. GGUF blocks: ggml-common.h of llama.cpp (Q4_0 18 bytes for 32 values, Q8_0 34, Q4_K 144 for 256, ...).
_FORMATS: Final[Mapping[str, NumberFormat]] = {
    known.name: known
    for known in (
        NumberFormat(name="fp32", bytes_per_parameter=4.0, computes=(Precision.FP32,)),
        NumberFormat(name="bf16", bytes_per_parameter=2.0, computes=_WIDE),
        NumberFormat(name="fp16", bytes_per_parameter=2.0, computes=(Precision.FP16, Precision.BF16, Precision.FP32)),
        NumberFormat(name="fp8", bytes_per_parameter=1.03, computes=_NARROW),
        NumberFormat(name="int8", bytes_per_parameter=1.03, computes=(Precision.INT8, *_WIDE)),
        NumberFormat(name="int8-weights", bytes_per_parameter=1.03, computes=_WIDE),
        NumberFormat(name="int4", bytes_per_parameter=0.58, computes=_WIDE),
        NumberFormat(name="fp4", bytes_per_parameter=0.58, computes=(Precision.FP4, *_WIDE)),
        NumberFormat(name="mxfp4", bytes_per_parameter=0.58, computes=(Precision.FP4, *_WIDE)),
        NumberFormat(name="gguf-2", bytes_per_parameter=84 / 256, computes=_QUANTISED),
        NumberFormat(name="gguf-3", bytes_per_parameter=110 / 256, computes=_QUANTISED),
        NumberFormat(name="gguf-4", bytes_per_parameter=144 / 256, computes=_QUANTISED),
        NumberFormat(name="gguf-5", bytes_per_parameter=176 / 256, computes=_QUANTISED),
        NumberFormat(name="gguf-6", bytes_per_parameter=210 / 256, computes=_QUANTISED),
        NumberFormat(name="gguf-8", bytes_per_parameter=34 / 32, computes=_QUANTISED),
    )
}

# The first that matches, without regard to case.
_SPELLINGS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"i?q([234568])_.*", "gguf-"),
        (r"mx-?fp4.*", "mxfp4"),
        (r"(nv)?fp4.*", "fp4"),
        (r"w8a8.*fp8|fp8.*", "fp8"),
        (r"w8a8.*|int8", "int8"),
        (r"gptq-?int8|w8a16.*|bnb-?int8|fp16/w-int8", "int8-weights"),
        (r"awq.*|gptq.*|w4a16.*|u?int4", "int4"),
        (r"(fp16/w-)?bf16(/fp16)?", "bf16"),
        (r"fp16|f16|float16", "fp16"),
        (r"fp32|f32|float32", "fp32"),
    )
)


@lru_cache(maxsize=512)
def number_format(precision: str) -> NumberFormat | None:
    """The format that `precision` names (`BF16`, `W8A8-INT8`, `AWQ-INT4`, `Q4_K_M`); None for a name not known."""
    for pattern, name in _SPELLINGS:
        match = pattern.fullmatch(precision.strip())
        if match is not None:
            return _FORMATS[name + match[1] if name.endswith("-") else name]
    return None
