"""Reads the header of a safetensors file from bytes: how many numbers of which type, and how long it must be. No I/O.

Format: eight bytes with the length of a JSON object (tensor name -> dtype, shape, data_offsets), that object, the data.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from alliage.errors import BadModelFile
from alliage.footprint.gguf import HeaderCut

HEADER_BYTES_MAX: Final = 64 * 1024**2
VALUES_MAX: Final = 2**48
_BITS: Final[Mapping[str, int]] = {
    "BOOL": 8,
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits a number, by the format's names; a type that is not here is taken at the length that is told."""

_PRECISIONS: Final[Mapping[str, str]] = {"F8_E4M3": "FP8", "F8_E5M2": "FP8", "I8": "INT8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetensorsHeader:
    """`parameters` counts the numbers of all tensors; a file shorter than `file_bytes_min` has been cut off."""

    parameters: int
    file_bytes_min: int
    values_by_type: Mapping[str, int]
    """How many numbers of each dtype (`BF16`, `F8_E4M3`)."""
    bytes_by_type: Mapping[str, int]


def read_safetensors_header(data: bytes) -> SafetensorsHeader:
    """The header that `data` begins with; raises HeaderCut when it ends before, BadModelFile for what is none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) >= 8 and not 2 <= length <= HEADER_BYTES_MAX:
        raise BadModelFile(f"its header would have {length} bytes, the limit is {HEADER_BYTES_MAX}")
    if len(data) < 8 + length:
        raise HeaderCut(f"the bytes end at {len(data)}, inside the header")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise BadModelFile(f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise BadModelFile("its header is not a JSON object")
    tensors = [_read_tensor(name, told) for name, told in header.items() if name != "__metadata__"]
    values: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        values[tensor.type] += tensor.values
        sizes[tensor.type] += tensor.end - tensor.start
    return SafetensorsHeader(
        parameters=values.total(),
        file_bytes_min=8 + length + max((tensor.end for tensor in tensors), default=0),
        values_by_type=dict(values),
        bytes_by_type=dict(sizes),
    )


def precision_of_types(counts: Mapping[str, int]) -> str:
    """The precision that most of a model has, by counts of numbers or bytes of each dtype; `unknown` without any."""
    if not counts:
        return "unknown"
    kind = max(sorted(counts), key=lambda name: counts[name])
    return _PRECISIONS.get(kind, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    type: str
    values: int
    start: int
    end: int


def _read_tensor(name: str, told: object) -> _Tensor:
    """One tensor; `start` and `end` are places in the data."""
    match told:
        case {
            "dtype": str(kind),
            "shape": [*shape],
            "data_offsets": [int(start), int(end)],
        } if _are_sizes(shape) and 0 <= start <= end:
            values = prod(shape)
            if values <= VALUES_MAX and end <= 16 * VALUES_MAX and _has_length(kind, values, end - start):
                return _Tensor(type=kind[:20], values=values, start=start, end=end)
    raise BadModelFile(f"the tensor {name[:80]!r} has an impossible type, shape or place: {told!r:.120}")


def _has_length(kind: str, values: int, count: int) -> bool:
    """Whether so many values of the type take `count` bytes."""
    bits = _BITS.get(kind)
    return bits is None or -(-values * bits // 8) == count


def _are_sizes(shape: list[object]) -> bool:
    return len(shape) <= 8 and all(
        isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= VALUES_MAX for size in shape
    )
