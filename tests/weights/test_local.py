"""Cards of files and folders on this machine."""

import json
import os
import struct
from pathlib import Path

import gguf
import pytest

from alliage.catalog.records import ModelCard, Task, WeightsFormat
from alliage.errors import BadModelFile, UnsafeFile
from alliage.weights.local import card_of_path
from tests.models.alphabet import PARAMETERS, write_alphabet

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": 16,
    "max_position_embeddings": 32,
}


def card_of(path: Path) -> ModelCard:
    """The card, without remote code."""
    return card_of_path(path, remote_code=False)


def write_safetensors(path: Path, *, values: int = 10, missing_bytes: int = 0) -> None:
    """A file with one tensor of F32."""
    header = json.dumps({"t": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * values - missing_bytes))


def write_folder(folder: Path, **changes: object) -> Path:
    """A Hugging Face folder of one safetensors file."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    write_safetensors(folder / "model.safetensors")
    return folder


def test_a_gguf_file_tells_its_card(tmp_path: Path) -> None:
    """Name, licence, size, precision, task and architecture come from the file."""
    path = tmp_path / "file.gguf"
    write_alphabet(path, name="My Model v1.5", embedding=True)
    card = card_of(path)
    assert (card.id, card.name, card.licence, card.precision) == ("my-model-v1.5", "My Model v1.5", "Apache-2.0", "F32")
    assert card.tasks == (Task.EMBED,)
    assert card.architecture.parameters == PARAMETERS
    assert card.weights.source == f"file:{path}"
    assert card.weights.size_bytes == path.stat().st_size


def test_a_folder_with_one_gguf_file_is_that_file(tmp_path: Path) -> None:
    """A projector beside it does not count."""
    write_alphabet(tmp_path / "one.gguf")
    (tmp_path / "mmproj-one.gguf").write_bytes(b"")
    assert card_of(tmp_path).weights.source == f"file:{tmp_path / 'one.gguf'}"


def test_a_folder_with_several_gguf_files_is_refused_naming_them(tmp_path: Path) -> None:
    """Which one is meant cannot be known."""
    for name in ("one.gguf", "two.gguf"):
        write_alphabet(tmp_path / name)
    with pytest.raises(BadModelFile, match=r"one\.gguf, two\.gguf"):
        card_of(tmp_path)


def test_a_hugging_face_folder_tells_its_card(tmp_path: Path) -> None:
    """Only safe files are in it; parameters are counted in the weights."""
    folder = write_folder(tmp_path / "My-Model", dtype="bfloat16")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    (folder / "modeling.py").write_text("x = 1")
    card = card_of(folder)
    assert (card.id, card.precision, card.licence) == ("my-model", "BF16", "unknown")
    assert card.weights.format is WeightsFormat.SAFETENSORS
    assert [file.path for file in card.weights.files] == ["config.json", "model.safetensors"]
    assert card.architecture.parameters == 10
    with_code = card_of_path(folder, remote_code=True)
    assert "modeling.py" in [file.path for file in with_code.weights.files]


def test_every_cut_of_a_gguf_file_is_noticed(tmp_path: Path) -> None:
    """In the header or in the data, the message names the file and how much there is."""
    whole = tmp_path / "whole.gguf"
    write_alphabet(whole)
    data = whole.read_bytes()
    cut = tmp_path / "cut.gguf"
    for count in (0, 3, 100, 5000, len(data) // 2, len(data) - 1):
        cut.write_bytes(data[:count])
        with pytest.raises(BadModelFile, match=rf"cut\.gguf: it is cut off: it has {count} bytes"):
            card_of(cut)


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    """A text called .gguf, another suffix, nothing at all, a device, an empty folder."""
    text = tmp_path / "text.gguf"
    text.write_text("this is a shopping list: bread, milk, eggs")
    other = tmp_path / "notes.txt"
    other.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, told in (
        (text, "it begins with b'this'"),
        (other, "it is no GGUF file"),
        (tmp_path / "none.gguf", "there is no such file"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (Path("/dev/null"), "neither a file nor a folder"),
        (empty, "there is no model (it has no files)"),
    ):
        with pytest.raises(BadModelFile) as caught:
            card_of(path)
        assert told in caught.value.message
        assert str(path) in caught.value.message


def test_a_folder_of_pickles_is_refused_as_unsafe(tmp_path: Path) -> None:
    """Even though a config.json lies beside them."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UnsafeFile, match=r"pytorch_model\.bin"):
        card_of(tmp_path)


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """A cut weight file, a missing shard, a configuration that is none or absurd."""
    cut = write_folder(tmp_path / "cut")
    write_safetensors(cut / "model.safetensors", missing_bytes=1)
    shard = write_folder(tmp_path / "shard")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (shard / "model.safetensors.index.json").write_text(json.dumps(index))
    broken = write_folder(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    absurd = write_folder(tmp_path / "absurd", num_hidden_layers=-3)
    bare = write_folder(tmp_path / "bare")
    (bare / "config.json").unlink()
    for folder, told in (
        (cut, "model.safetensors: it is cut off"),
        (shard, "weight files are missing: model-2.safetensors"),
        (broken, "config.json: it is not JSON"),
        (absurd, "num_hidden_layers is -3"),
        (bare, "no config.json"),
    ):
        with pytest.raises(BadModelFile) as caught:
            card_of(folder)
        assert told in caught.value.message
        assert str(folder) in caught.value.message


def test_a_part_of_a_split_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Alliage takes one file; llama.cpp's tool joins the parts."""
    path = tmp_path / "model-00001-of-00002.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint16("split.count", 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadModelFile, match=r"one of 2 parts.*llama-gguf-split --merge"):
        card_of(path)


def test_a_header_without_end_is_given_up(tmp_path: Path) -> None:
    """A file that promises ever more tokens is read to the stated limit, not to its end."""
    path = tmp_path / "endless.gguf"
    array = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 10, 16 * 1024**2)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + array)
    os.truncate(path, 10 * 1024**3)
    with pytest.raises(BadModelFile, match="its header is longer than 67108864 bytes"):
        card_of(path)
