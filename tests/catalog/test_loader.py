"""The catalogue: what is in it, what a user's folder adds, and what a wrong file is told."""

from pathlib import Path

import pytest

from alliage.catalog.loader import FILE_BYTES_MAX, load_catalog
from alliage.catalog.records import AttentionKind, Sharing, Task, WeightsFormat
from alliage.errors import BadInput
from tests.catalog.files import put

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


def model(*, source: str = "pypi:tiny==1", revision: str = "", path: str = "a/b.gguf", sha256: str = "0" * 64) -> str:
    """A model file."""
    return MODEL.format(source=source, revision=revision, path=path, sha256=sha256)


def test_the_catalogue_in_the_package_is_whole() -> None:
    """It has a chip for both kinds of CPU, the engine, and the default model with pinned weights."""
    catalog = load_catalog()
    assert {machine for chip in catalog.chips.values() for machine in chip.machines} >= {"x86_64", "aarch64", "arm64"}
    assert all(chip.sharing is Sharing.CORES for chip in catalog.chips.values() if chip.machines)
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
    assert set(catalog.chips) == {*load_catalog().chips, "cpu-riscv"}
    assert catalog.chips["cpu-arm"].name == "Mine"
    assert set(catalog.models) == {*load_catalog().models, "tiny"}


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
        (CHIP.format(id="x", name="X").replace('"cpu"', '"cuda"'), ["'cuda'", "stacks: amd, "]),
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
    assert str(file) in str(caught.value)


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


NO_FILES = model(source="hf:a/b").split("[[weights.files]]")[0]
ATTENTION = """
[[architecture.attention]]
kind = "{kind}"
layers = {layers}
{more}
"""


def attention(kind: str, layers: int = 1, more: str = "kv_heads = 1\nhead_dim = 8") -> str:
    """A model file whose layers attend so."""
    return model().replace("[weights]", ATTENTION.format(kind=kind, layers=layers, more=more) + "[weights]")


def test_a_model_of_the_hub_may_leave_its_files_to_the_hub(tmp_path: Path) -> None:
    """Neither files nor a commit are told; both are learned when it is deployed."""
    put(tmp_path, "models", NO_FILES)
    weights = load_catalog(tmp_path).models["tiny"].weights
    assert (weights.source, weights.revision, weights.files, weights.size_bytes) == ("hf:a/b", "", (), 0)


def test_layers_that_attend_differently_are_told_in_groups(tmp_path: Path) -> None:
    """Each kind with its numbers."""
    text = attention("sliding", more="kv_heads = 2\nhead_dim = 8\nwindow_tokens = 64")
    put(tmp_path, "models", text)
    group = load_catalog(tmp_path).models["tiny"].architecture.attention[0]
    assert (group.kind, group.layers, group.kv_heads, group.window_tokens) == (AttentionKind.SLIDING, 1, 2, 64)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (NO_FILES.replace("hf:a/b", "pypi:a==1"), "files must name each file"),
        (NO_FILES.replace("hf:a/b", "file:/a"), "files must name each file"),
        (NO_FILES.replace("format =", f'revision = "{"1" * 40}"\nformat ='), "absent elsewhere"),
        (attention("full", 2), "attention is told of 2 layers and there are 1"),
        (attention("sliding"), "sliding attention needs window_tokens"),
        (attention("latent"), "latent attention needs latent_dim"),
        (attention("linear"), "linear attention needs state_values"),
        (attention("sideways"), "`architecture.attention.0.kind`"),
        (model().replace("layers = 1", "layers = 1\nexperts = 2\nexperts_used = 3"), "experts_used is 3 of 2"),
        (model().replace("parameters = 0", "parameters = 5\nactive_parameters = 6"), "cannot be more"),
        (model() + '[published]\nparameters = "about 7B"\nsource = "x"\n', "`published.parameters`"),
        (model() + '[published]\nparameters = "7B"\n', "`published.source`"),
    ],
)
def test_facts_that_do_not_fit_together_are_refused(tmp_path: Path, text: str, told: str) -> None:
    """The message says which, with the numbers."""
    put(tmp_path, "models", text)
    with pytest.raises(BadInput) as caught:
        load_catalog(tmp_path)
    assert told in str(caught.value)


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
