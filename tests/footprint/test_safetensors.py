"""Reading headers of safetensors files."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadModelFile
from alliage.footprint.gguf import HeaderCut
from alliage.footprint.safetensors import precision_of_types, read_safetensors_header


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
    assert (header.values_by_type, header.bytes_by_type) == ({"F32": 6, "BF16": 5}, {"F32": 24, "BF16": 10})
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
        written({"a": {"dtype": "X", "shape": [2**40, 2**40], "data_offsets": [0, 1]}}),
        written({"a": {"dtype": "X", "shape": [-1], "data_offsets": [0, 1]}}),
        written({"a": {"dtype": "X", "shape": [True], "data_offsets": [0, 1]}}),
        written({"a": {"dtype": "X", "shape": [1], "data_offsets": [5, 1]}}),
        written({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1]}}),
        written({"a": {"shape": [1], "data_offsets": [0, 1]}}),
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


@pytest.mark.parametrize(
    ("counts", "precision"),
    [({}, "unknown"), ({"BF16": 5, "F32": 1}, "BF16"), ({"F8_E4M3": 9, "BF16": 2}, "FP8"), ({"new": 1}, "new")],
)
def test_the_precision_is_that_of_most_numbers(counts: dict[str, int], precision: str) -> None:
    """Under the name that chips have for it."""
    assert precision_of_types(counts) == precision


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F4", "new"]) | JSON,
        "shape": st.lists(st.integers(-1, 2**50), max_size=9) | JSON,
        "data_offsets": st.lists(st.integers(-1, 2**60), max_size=3) | JSON,
    },
)


@given(st.dictionaries(st.text(max_size=5), TENSOR | JSON, max_size=4))
def test_any_header_is_read_or_refused(tensors: dict[str, object]) -> None:
    """Whole JSON of the wrong shape: nothing but BadModelFile comes out, and no header is asked to be longer."""
    try:
        header = read_safetensors_header(written(tensors))
    except HeaderCut as error:
        raise AssertionError("it asked for more than the whole") from error
    except BadModelFile:
        return
    assert header.parameters == sum(header.values_by_type.values()) >= 0
