"""Engine facts: what is in them, what a wrong file is told, and what is known of a precision on a chip."""

from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Confidence, Fact, Precision
from alliage.errors import BadInput
from tests.builders import CATALOG

ENGINE = """
id = "example"
name = "Example"
launcher = "vllm"
formats = ["safetensors"]
tasks = ["chat"]
overhead_bytes = 1
slots = 1
context_tokens_max = 1024
[[on]]
stack = "nvidia"
{line}
sources = ["a page"]
"""


def load(folder: Path, line: str) -> None:
    """The catalogue with an engine that has `line` in its table."""
    file = folder / "engines" / "example.toml"
    file.parent.mkdir()
    file.write_text(ENGINE.format(line=line))
    load_catalog(folder)


def test_vllm_is_on_nearly_every_make() -> None:
    """In tree or by a plugin."""
    assert {
        "cpu",
        "nvidia",
        "amd",
        "ascend",
        "metax",
        "mthreads",
        "kunlun",
        "cambricon",
        "biren",
        "thead",
        "gaudi",
    } <= set(CATALOG.engines["vllm"].stacks)


def test_every_fact_says_who_says_so() -> None:
    """A precision, an image or a degree that has a value has a source; each table has sources."""
    for engine in CATALOG.engines.values():
        for on in engine.on:
            assert on.sources
            facts: list[Fact[str] | Fact[bool] | Fact[tuple[int, ...]]] = [on.image, on.tensor_parallel]
            for fact in (*facts, *(entry.served for entry in on.precisions)):
                assert (fact.value is None) is (fact.confidence is Confidence.UNKNOWN)
                assert fact.value is None or fact.source


@pytest.mark.parametrize(
    ("stack", "chip", "precision", "served", "instead"),
    [
        ("ascend", "huawei-910b", Precision.FP8, False, "INT8 W8A8"),
        ("biren", "biren-br106", Precision.FP16, False, "BF16"),
        ("nvidia", "nvidia-t4", Precision.BF16, False, "FP16"),
        ("nvidia", "nvidia-h20", Precision.BF16, True, ""),
        ("nvidia", "nvidia-b200", Precision.INT8, False, "FP8"),
    ],
)
def test_a_chip_is_asked_before_its_stack(
    stack: str, chip: str, precision: Precision, *, served: bool, instead: str
) -> None:
    """What is said of the chip itself counts, then what is said of all of its stack."""
    on = CATALOG.engines["vllm"].on_stack(stack)
    assert on is not None
    entry = on.serving(precision, chip)
    assert entry is not None
    assert (entry.served.value, entry.instead) == (served, instead)


def test_what_nobody_states_is_unknown() -> None:
    """Neither yes nor no."""
    on = CATALOG.engines["vllm"].on_stack("metax")
    assert on is not None
    assert on.serving(Precision.FP8, "metax-c500") is None
    assert on.image.value is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('image = { value = "x", confidence = "unknown" }', "unknown confidence"),
        ('image = { value = "x", confidence = "vendor" }', "without a source"),
        ('environment = { lower = "x" }', "lower"),
        ('mounts = [{ path = "relative" }]', "relative"),
        ('chip_images = { "huawei-910c" = "x" }', "huawei-910c"),
        (
            '[[on.precisions]]\nprecision = "fp8"\nserved = { confidence = "unknown" }\ninstead = "INT8"\n[[on]]',
            "instead",
        ),
        ('[[on]]\nstack = "nvidia"', "sources"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, line: str, told: str) -> None:
    """With the file, the field and what is wrong with it."""
    with pytest.raises(BadInput, match=told):
        load(tmp_path, line)


def test_two_tables_of_a_stack_are_refused(tmp_path: Path) -> None:
    """It would be open which of them holds."""
    with pytest.raises(BadInput, match="'nvidia' is named twice"):
        load(tmp_path, 'sources = ["a"]\n[[on]]\nstack = "nvidia"')


def test_an_engine_without_a_stack_is_refused(tmp_path: Path) -> None:
    """It could never be placed."""
    file = tmp_path / "engines" / "example.toml"
    file.parent.mkdir()
    file.write_text(ENGINE.partition("[[on]]")[0])
    with pytest.raises(BadInput, match="no stack"):
        load_catalog(tmp_path)


def test_an_engine_may_share_a_launcher(tmp_path: Path) -> None:
    """A user's vLLM for another stack needs no Python."""
    load(tmp_path, "")
    assert load_catalog(tmp_path).engines["example"].launcher == "vllm"
    assert CATALOG.engines["mindie"].launcher == "mindie"
