"""How many bytes a model's weights take in a precision, from its architecture. Pure arithmetic.

What stays in 16 bits: embedding and head in every precision below 16 bits (the practice of the quantisers named
below), and in MXFP4 all but the experts. Norms, routers and biases are less than a thousandth and count as the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alliage.catalog.records import Architecture


class Stays(StrEnum):
    """What is left in 16 bits."""

    NOTHING = "nothing"
    VOCABULARY = "vocabulary"
    ALL_BUT_EXPERTS = "all but experts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Bits a parameter with its share of scales, and what is left in 16 bits."""

    bits: float
    stays: Stays


PACKINGS: Final[Mapping[str, Packing]] = {
    "fp32": Packing(bits=32, stays=Stays.NOTHING),
    "bf16": Packing(bits=16, stays=Stays.NOTHING),
    "fp16": Packing(bits=16, stays=Stays.NOTHING),
    # One F32 scale a block of 128 x 128 (DeepSeek-V3, 2024, section 3.3.2).
    "fp8": Packing(bits=8 + 32 / 128**2, stays=Stays.VOCABULARY),
    # One F32 scale a row (SmoothQuant, Xiao et al., 2022); rows of 4096 are the shorter ones.
    "int8": Packing(bits=8 + 32 / 4096, stays=Stays.VOCABULARY),
    # Groups of 128 with an F16 scale and a 4-bit zero (AWQ, Lin et al., 2023; GPTQ, Frantar et al., 2022).
    "int4": Packing(bits=4 + (16 + 4) / 128, stays=Stays.VOCABULARY),
    # NVFP4: blocks of 16 with an 8-bit scale (Nvidia, "Introducing NVFP4", 2025).
    "fp4": Packing(bits=4 + 8 / 16, stays=Stays.VOCABULARY),
    # MXFP4: blocks of 32 with an 8-bit scale (OCP Microscaling Formats 1.0); gpt-oss packs its experts alone.
    "mxfp4": Packing(bits=4 + 8 / 32, stays=Stays.ALL_BUT_EXPERTS),
    # Groups of 32 with an F16 scale, experts alone (config.json of Kimi-K2-Thinking, compressed-tensors).
    "int4-experts": Packing(bits=4 + 16 / 32, stays=Stays.ALL_BUT_EXPERTS),
}
_SAME: Final = {"f32": "fp32", "f16": "fp16", "awq": "int4", "gptq": "int4", "nvfp4": "fp4", "w8a8": "int8"}


def weight_bytes(architecture: Architecture, precision: str) -> int | None:
    """Bytes of all weights in `precision` (any case, `BF16` or `Precision.BF16`).

    None where the precision has no fixed width here, or the count of parameters is not known.
    """
    name = precision.lower()
    packing = PACKINGS.get(_SAME.get(name, name))
    if packing is None or not architecture.parameters:
        return None
    stays = min(architecture.parameters, _staying(architecture, packing.stays))
    return 2 * stays + int((architecture.parameters - stays) * packing.bits / 8)


def _staying(architecture: Architecture, stays: Stays) -> int:
    match stays:
        case Stays.NOTHING:
            return 0
        case Stays.VOCABULARY:
            return architecture.vocabulary * architecture.hidden * (2 if architecture.embedding_parameters else 1)
        case Stays.ALL_BUT_EXPERTS:
            return architecture.parameters - expert_parameters(architecture)


def expert_parameters(architecture: Architecture) -> int:
    """Parameters of all routed experts, from what rests while one token is worked on; all of a dense model's."""
    resting = architecture.experts - architecture.experts_used
    if resting <= 0:
        return architecture.parameters
    return (architecture.parameters - architecture.active_parameters) * architecture.experts // resting
