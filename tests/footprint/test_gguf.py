"""Reading GGUF headers: right for what the `gguf` package writes, safe for anything else."""

import functools
import struct
import tempfile
from pathlib import Path

import gguf
import pytest
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.errors import BadModelFile
from alliage.footprint.gguf import ARRAY_MAX, GgufHeader, HeaderCut, read_gguf_header
from alliage.footprint.gguf_types import FILE_TYPES, TENSOR_TYPES
from tests.models.alphabet import KV_HEADS, PARAMETERS, VOCABULARY, write_alphabet

FAST = settings(deadline=2000)


@functools.cache
def alphabet_bytes() -> bytes:
    """The test model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alphabet.gguf"
        write_alphabet(path)
        return path.read_bytes()


@functools.cache
def alphabet_header() -> GgufHeader:
    """Its header."""
    return read_gguf_header(alphabet_bytes())


def preamble(*, tensors: int = 0, pairs: int = 0, version: int = 3) -> bytes:
    """What every GGUF file begins with."""
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs)


def text(value: bytes) -> bytes:
    """A string of the format."""
    return struct.pack("<Q", len(value)) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    """A metadata pair of the format."""
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    """A tensor's entry."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def test_the_header_of_a_written_file_is_read() -> None:
    """Counts, bytes, metadata and the least file size are those that the file was written with."""
    header = alphabet_header()
    assert header.parameters == PARAMETERS
    assert header.weight_bytes == PARAMETERS * 4
    assert header.file_bytes_min == len(alphabet_bytes())
    assert header.metadata["qwen3.attention.head_count_kv"] == KV_HEADS
    assert header.array_lengths["tokenizer.ggml.tokens"] == VOCABULARY
    assert {tensor.name for tensor in header.tensors} >= {"token_embd.weight", "output.weight", "blk.0.attn_q.weight"}


def test_the_type_tables_are_those_of_the_gguf_package() -> None:
    """Every tensor type that `gguf` knows is known here with its block, and every file type with its name."""
    theirs = {int(kind): (kind.name, *GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}
    assert {number: tuple(TENSOR_TYPES[number]) for number in theirs} == theirs
    names = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in gguf.LlamaFileType}
    assert {number: FILE_TYPES.get(number) for number in names if number < 1024} == {
        number: name for number, name in names.items() if number < 1024
    }


def test_a_header_cut_anywhere_says_so() -> None:
    """At every length short of the whole header it is HeaderCut, so that a caller can read more."""
    data = alphabet_bytes()
    end = alphabet_header().data_offset
    whole = next(count for count in range(end, 0, -1) if not _reads(data[: count - 1]))
    assert not any(_reads(data[:count]) for count in range(whole))
    assert end - whole < 32


def _reads(data: bytes) -> bool:
    try:
        read_gguf_header(data)
    except HeaderCut:
        return False
    return True


@FAST
@given(st.binary(max_size=2000), st.sampled_from([b"", b"GGUF", preamble(tensors=3, pairs=3), preamble(pairs=2)]))
def test_any_bytes_are_read_or_refused(tail: bytes, head: bytes) -> None:
    """Nothing but BadModelFile (HeaderCut is one) comes out, whatever the bytes."""
    try:
        read_gguf_header(head + tail)
    except BadModelFile:
        return


@FAST
@given(st.lists(st.tuples(st.integers(0, 5600), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_header_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    """The same of a real header with some bytes changed."""
    data = bytearray(alphabet_bytes()[:6000])
    for place, value in changes:
        data[place] = value
    try:
        read_gguf_header(bytes(data))
    except BadModelFile:
        return


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04" + b"\0" * 60, "it begins with"),
        (b"just some text, and more of it", "it begins with"),
        (preamble(version=1), "GGUF version is 1"),
        (preamble(version=0x03000000), "little-endian"),
        (preamble(tensors=2**60), "number of tensors is 1152921504606846976"),
        (preamble(pairs=2**40), "number of metadata pairs"),
        (preamble(pairs=1) + struct.pack("<Q", 2**62), "length of a metadata key"),
        (preamble(pairs=1) + text(b"\xff\xfe"), "not UTF-8"),
        (preamble(pairs=1) + pair(b"k", 99, b""), "unknown type 99"),
        (preamble(pairs=1) + pair(b"k", 9, struct.pack("<IQ", 4, ARRAY_MAX + 1)), "the limit is"),
        (preamble(pairs=1) + pair(b"k", 9, struct.pack("<IQ", 9, 1)), "nested type 9"),
        (preamble(pairs=1) + pair(b"k", 9, struct.pack("<IQQ", 8, 1, 2**50)), "length of a text"),
        (preamble(pairs=2) + 2 * pair(b"k", 0, b"\1"), "there twice"),
        (preamble(pairs=1) + pair(b"general.alignment", 4, struct.pack("<I", 12)), "general.alignment is 12"),
        (preamble(tensors=1) + tensor(b"t", (1, 1, 1, 1, 1)), "number of dimensions"),
        (preamble(tensors=1) + tensor(b"t", (2**40, 2**40)), "cannot have"),
        (preamble(tensors=1) + tensor(b"t", (0,)), "cannot have"),
        (preamble(tensors=1) + tensor(b"t", (33,), kind=2), "Q4_0 cannot have"),
        (preamble(tensors=1) + tensor(b"t", (32,), kind=77), "type 77"),
        (preamble(tensors=1) + tensor(b"t", (32,), offset=7), "not a multiple of 32"),
        (preamble(tensors=2) + 2 * tensor(b"t", (32,)), "'t' is there twice"),
    ],
)
def test_what_is_absurd_is_refused_by_name(data: bytes, told: str) -> None:
    """Each limit has a message that says what was found; none of these ask for more bytes."""
    with pytest.raises(BadModelFile) as caught:
        read_gguf_header(data)
    assert told in str(caught.value)
    assert not isinstance(caught.value, HeaderCut)


def test_a_long_array_that_is_not_there_is_cut_not_built() -> None:
    """A promise of 16 million values costs nothing until they come."""
    for kind in (4, 8):
        with pytest.raises(HeaderCut):
            read_gguf_header(preamble(pairs=1) + pair(b"k", 9, struct.pack("<IQ", kind, ARRAY_MAX)))


def test_long_texts_and_arrays_are_not_kept() -> None:
    """Of a long text its beginning is kept, of a long array its length."""
    data = preamble(pairs=2) + pair(b"long", 8, text(b"x" * 5000))
    header = read_gguf_header(data + pair(b"many", 9, struct.pack("<IQ", 0, 5000) + bytes(5000)))
    assert header.metadata == {"long": "x" * 1024}
    assert header.array_lengths == {"many": 5000}
