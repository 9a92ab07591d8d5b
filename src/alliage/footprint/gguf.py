"""Reads the header of a GGUF file from bytes: metadata, tensors, and how long the file must be. Does no I/O.

The bytes may come from anywhere: every count and length is bounded before it is used, long arrays (the tokenizer) are
stepped over and only their length is kept. Format: gguf.md of the ggml project, versions 2 and 3.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Final

from alliage.errors import BadModelFile
from alliage.footprint.gguf_types import ARRAY, NUMBER_FORMATS, STRING, TENSOR_TYPES, TensorType

HEADER_BYTES_MAX: Final = 64 * 1024**2
"""A caller that was told HeaderCut gives up here. A vocabulary of 262 thousand makes a header of about 15 MB."""
METADATA_MAX: Final = 4096
TENSORS_MAX: Final = 65_536
ARRAY_MAX: Final = 16 * 1024**2
STRING_BYTES_MAX: Final = 8 * 1024**2
KEY_BYTES_MAX: Final = 65_535
TENSOR_NAME_BYTES_MAX: Final = 64
DIMENSIONS_MAX: Final = 4
TENSOR_VALUES_MAX: Final = 2**48
KEPT_STRING_BYTES: Final = 1024
"""Longer values (chat templates, licence texts) are kept as their first so many bytes."""
KEPT_ARRAY: Final = 1024
"""Longer arrays, and arrays of strings, are kept as their length only."""

Value = str | int | float | bool | tuple[int | float | bool, ...]


class HeaderCut(BadModelFile):
    """The bytes end inside the header: with more of the file it might be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor as the header tells it. `offset` counts from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """How many bytes they take."""
        return self.values // self.type.block_values * self.type.block_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """All that is kept of a header. `array_lengths` has every array, `metadata` those that are short and of numbers."""

    metadata: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    data_offset: int

    @property
    def parameters(self) -> int:
        """The exact count of the model's numbers."""
        return sum(tensor.values for tensor in self.tensors)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def file_bytes_min(self) -> int:
        """A file that is shorter has been cut off."""
        ends = (self.data_offset + tensor.offset + tensor.size_bytes for tensor in self.tensors)
        return max(ends, default=0)


def read_gguf_header(data: bytes) -> GgufHeader:
    """The header that `data` begins with.

    Raises HeaderCut when `data` ends before it does, BadModelFile (with the offset) for what is no GGUF header.
    """
    cursor = _Cursor(data)
    tensor_count, metadata_count = _read_preamble(cursor)
    metadata: dict[str, Value] = {}
    array_lengths: dict[str, int] = {}
    for _ in range(metadata_count):
        _read_pair(cursor, metadata, array_lengths)
    alignment = _alignment(metadata)
    tensors = tuple(_read_tensor(cursor, alignment) for _ in range(tensor_count))
    for name, following in pairwise(sorted(tensor.name for tensor in tensors)):
        if name == following:
            raise BadModelFile(f"the tensor {name[:80]!r} is there twice")
    return GgufHeader(
        metadata=metadata,
        array_lengths=array_lengths,
        tensors=tensors,
        data_offset=cursor.at + -cursor.at % alignment,
    )


class _Cursor:
    """Steps through bytes; every step is checked."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip(self, count: int) -> int:
        """Step over `count` bytes; where they began."""
        start = self.at
        if count > len(self.data) - start:
            raise HeaderCut(f"the bytes end at {len(self.data)}, inside the header")
        self.at = start + count
        return start

    def number(self, form: str) -> int | float | bool:
        start = self.skip(struct.calcsize(form))
        value: int | float | bool = struct.unpack_from(form, self.data, start)[0]
        return value

    def count(self, form: str, limit: int, what: str) -> int:
        start = self.at
        value = int(self.number(form))
        if value > limit:
            raise BadModelFile(f"at byte {start}: {what} is {value}, the limit is {limit}")
        return value

    def string(self, limit: int, what: str, *, keep: int | None = None) -> str:
        length = self.count("<Q", limit, f"the length of {what}")
        start = self.skip(length)
        text = self.data[start : start + (length if keep is None else min(length, keep))]
        try:
            return text.decode(errors="strict" if keep is None else "replace")
        except UnicodeDecodeError as error:
            raise BadModelFile(f"at byte {start + error.start}: {what} is not UTF-8 text") from error

    def skip_strings(self, count: int, what: str) -> None:
        """Step over strings in a loop of its own: there are a few hundred thousand."""
        data, at, end = self.data, self.at, len(self.data)
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > end:
                break
            length = unpack(data, at)[0]
            if length > STRING_BYTES_MAX:
                raise BadModelFile(
                    f"at byte {at}: the length of a text in {what} is {length}, the limit is {STRING_BYTES_MAX}"
                )
            at += 8 + length
        else:
            self.skip(at - self.at)
            return
        raise HeaderCut(f"the bytes end at {end}, inside the header")


def _read_preamble(cursor: _Cursor) -> tuple[int, int]:
    """Counts of tensors and metadata pairs."""
    magic = cursor.data[:4]
    if not b"GGUF".startswith(magic[:4]):
        raise BadModelFile(f"it begins with {bytes(magic)!r}, a GGUF file with b'GGUF'")
    cursor.skip(4)
    version = int(cursor.number("<I"))
    if version not in {2, 3}:
        raise BadModelFile(f"its GGUF version is {version}, versions 2 and 3 (little-endian) can be read")
    tensors = cursor.count("<Q", TENSORS_MAX, "the number of tensors")
    return tensors, cursor.count("<Q", METADATA_MAX, "the number of metadata pairs")


def _read_pair(cursor: _Cursor, metadata: dict[str, Value], array_lengths: dict[str, int]) -> None:
    start = cursor.at
    key = cursor.string(KEY_BYTES_MAX, "a metadata key")
    what = f"the value of {key[:80]!r}"
    if key in metadata or key in array_lengths:
        raise BadModelFile(f"at byte {start}: the metadata key {key[:80]!r} is there twice")
    kind = int(cursor.number("<I"))
    if kind == ARRAY:
        array_lengths[key], values = _read_array(cursor, what)
        if values is not None:
            metadata[key] = values
    elif kind == STRING:
        metadata[key] = cursor.string(STRING_BYTES_MAX, what, keep=KEPT_STRING_BYTES)
    elif kind in NUMBER_FORMATS:
        metadata[key] = cursor.number(NUMBER_FORMATS[kind])
    else:
        raise BadModelFile(f"at byte {start}: {what} has the unknown type {kind}")


def _read_array(cursor: _Cursor, what: str) -> tuple[int, tuple[int | float | bool, ...] | None]:
    """Its length, and its values when it is a short one of numbers."""
    start = cursor.at
    kind = int(cursor.number("<I"))
    length = cursor.count("<Q", ARRAY_MAX, f"the length of {what}")
    if kind == STRING:
        cursor.skip_strings(length, what)
        return length, None
    if kind not in NUMBER_FORMATS:
        raise BadModelFile(f"at byte {start}: {what} is an array of the unknown or nested type {kind}")
    form = NUMBER_FORMATS[kind]
    if length > KEPT_ARRAY:
        cursor.skip(length * struct.calcsize(form))
        return length, None
    return length, tuple(cursor.number(form) for _ in range(length))


def _alignment(metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", 32)
    if isinstance(value, bool) or not isinstance(value, int) or not 8 <= value <= 1024**2 or value & (value - 1):
        raise BadModelFile(f"general.alignment is {value!r}, not a power of two from 8 to {1024**2}")
    return value


def _read_tensor(cursor: _Cursor, alignment: int) -> Tensor:
    start = cursor.at
    name = cursor.string(TENSOR_NAME_BYTES_MAX, "a tensor's name")
    what = f"at byte {start}: the tensor {name!r}"
    dimensions = cursor.count("<I", DIMENSIONS_MAX, f"the number of dimensions of {name!r}")
    shape = tuple(cursor.count("<Q", TENSOR_VALUES_MAX, f"a dimension of {name!r}") for _ in range(dimensions))
    kind = int(cursor.number("<I"))
    offset = cursor.count("<Q", TENSOR_VALUES_MAX, f"the offset of {name!r}")
    if kind not in TENSOR_TYPES:
        raise BadModelFile(f"{what} has the type {kind}, which this version of Alliage does not know")
    tensor = Tensor(name=name, shape=shape, type=TENSOR_TYPES[kind], offset=offset)
    if not 0 < tensor.values <= TENSOR_VALUES_MAX or (shape[:1] and shape[0] % tensor.type.block_values):
        raise BadModelFile(f"{what} has the shape {shape}, which {tensor.type.name} cannot have")
    if offset % alignment:
        raise BadModelFile(f"{what} begins at {offset}, which is not a multiple of {alignment}")
    return tensor
