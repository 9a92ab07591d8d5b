"""Reads the header of a safetensors file from bytes: how many numbers it holds and how long it must be. Does no I/O.

Format: eight bytes with the length of a JSON object (tensor name -> dtype, shape, data_offsets), that object, the data.
"""

import json
from dataclasses import dataclass
from math import prod
from typing import Final

from alliage.errors import BadModelFile
from alliage.footprint.gguf import HeaderCut

HEADER_BYTES_MAX: Final = 64 * 1024**2
VALUES_MAX: Final = 2**48


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetensorsHeader:
    """`parameters` counts the numbers of all tensors; a file shorter than `file_bytes_min` has been cut off."""

    parameters: int
    file_bytes_min: int


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
    return SafetensorsHeader(
        parameters=sum(values for values, _ in tensors),
        file_bytes_min=8 + length + max((end for _, end in tensors), default=0),
    )


def _read_tensor(name: str, told: object) -> tuple[int, int]:
    """How many numbers, and where its bytes end in the data."""
    match told:
        case {"shape": [*shape], "data_offsets": [int(start), int(end)]} if _are_sizes(shape) and 0 <= start <= end:
            values = prod(shape)
            if values <= VALUES_MAX and end <= 16 * VALUES_MAX:
                return values, end
    raise BadModelFile(f"the tensor {name[:80]!r} has an impossible shape or place")


def _are_sizes(shape: list[object]) -> bool:
    return len(shape) <= 8 and all(isinstance(size, int) and 0 <= size <= VALUES_MAX for size in shape)
