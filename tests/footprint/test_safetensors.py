"""Reading headers of safetensors files."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadModelFile
from alliage.footprint.gguf import HeaderCut
from alliage.footprint.safetensors import read_safetensors_header


def written(header: object) -> bytes:
    """A header as the format has it."""
    body = json.dumps(header).encode()
    return struct.pack("<Q", len(body)) + body


def test_numbers_and_length_are_counted() -> None:
    """Parameters over all tensors; the file ends where the last tensor does."""
    tensors = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [5], "data_offsets": [24, 34]},
    }
    data = written(tensors)
    header = read_safetensors_header(data)
    assert (header.parameters, header.file_bytes_min) == (11, len(data) + 34)
    for count in range(len(data)):
        with pytest.raises(HeaderCut):
            read_safetensors_header(data[:count])


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 2**60),
        struct.pack("<Q", 3) + b"not",
        written([1]),
        written({"a": 1}),
        written({"a": {"shape": [2**40, 2**40], "data_offsets": [0, 1]}}),
        written({"a": {"shape": [-1], "data_offsets": [0, 1]}}),
        written({"a": {"shape": [1], "data_offsets": [5, 1]}}),
        struct.pack("<Q", 100_000) + b"[" * 100_000,
    ],
)
def test_what_is_absurd_is_refused(data: bytes) -> None:
    """As BadModelFile, and not as a wish for more bytes."""
    with pytest.raises(BadModelFile) as caught:
        read_safetensors_header(data)
    assert not isinstance(caught.value, HeaderCut)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but BadModelFile comes out."""
    for head in (b"", struct.pack("<Q", len(data))):
        try:
            read_safetensors_header(head + data)
        except BadModelFile:
            continue
