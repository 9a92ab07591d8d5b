"""Engine facts: what is in them, what a wrong file is told, and what is known of a precision on a chip."""

from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import ApiPath, Confidence, Fact, Precision
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
REFUSED_INSTEAD_OF_ITSELF = """
[[on.precisions]]
precision = "bf16"
served = { value = false, confidence = "vendor", source = "a page" }
instead = "BF16"
[[on]]
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
        "hygon",
        "enflame",
        "iluvatar",
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
        ("ascend", "huawei-910b", Precision.FP16, True, ""),
        ("ascend", "huawei-310p", Precision.INT8, True, ""),
        ("metax", "metax-c500", Precision.BF16, True, ""),
        ("metax", "metax-c500", Precision.FP8, False, "INT8 W8A8"),
        ("metax", "metax-c600", Precision.INT8, True, ""),
        ("mthreads", "mthreads-s5000", Precision.BF16, True, ""),
        ("mthreads", "mthreads-s5000", Precision.FP8, True, ""),
        ("kunlun", "kunlun-p800", Precision.BF16, True, ""),
        ("kunlun", "kunlun-p800", Precision.FP8, False, "INT8 W8A8"),
        ("kunlun", "kunlun-r200", Precision.FP16, False, ""),
        ("cambricon", "cambricon-mlu590", Precision.BF16, True, ""),
        ("cambricon", "cambricon-mlu370-x8", Precision.INT8, True, ""),
        ("biren", "biren-br166", Precision.BF16, True, ""),
        ("hygon", "hygon-k100-ai", Precision.FP8, False, "INT8 W8A8"),
        ("enflame", "enflame-s60", Precision.BF16, True, ""),
        ("iluvatar", "iluvatar-mr-v100", Precision.INT8, True, ""),
        ("gaudi", "intel-gaudi3", Precision.FP16, False, "BF16"),
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


@pytest.mark.parametrize(
    ("stack", "chip", "precision"),
    [
        ("metax", "metax-c600", Precision.FP8),
        ("mthreads", "mthreads-s4000", Precision.BF16),
        ("cambricon", "cambricon-mlu370-x8", Precision.BF16),
        ("biren", "biren-br106", Precision.BF16),
        ("enflame", "enflame-l300", Precision.BF16),
        ("gaudi", "intel-gaudi2", Precision.FP16),
    ],
)
def test_what_nobody_states_is_unknown(stack: str, chip: str, precision: Precision) -> None:
    """Neither yes nor no: where no source speaks, where sources of a maker contradict each other."""
    on = CATALOG.engines["vllm"].on_stack(stack)
    assert on is not None
    assert on.serving(precision, chip) is None


def test_an_image_that_nobody_names_is_unknown() -> None:
    """Its user must name one."""
    on = CATALOG.engines["vllm"].on_stack("metax")
    assert on is not None
    assert on.image.value is None


def test_what_is_said_of_a_chip_is_said_of_one_of_the_stack() -> None:
    """A chip's name that is wrong would leave its precision unknown without a word; and said twice, one would not count."""
    for engine in CATALOG.engines.values():
        for on in engine.on:
            said = [(entry.precision, chip) for entry in on.precisions for chip in entry.chips or ("",)]
            assert len(said) == len(set(said)), (engine.id, on.stack)
            for _, chip in said:
                assert not chip or CATALOG.chips[chip].stack == on.stack


def test_what_to_use_instead_is_served_or_not_known() -> None:
    """Nobody is sent from one refusal to the next."""
    for engine in CATALOG.engines.values():
        for on in engine.on:
            for chip in (each.id for each in CATALOG.chips.values() if each.stack == on.stack):
                known = [said for each in Precision if (said := on.serving(each, chip)) is not None and said.instead]
                for said in known:
                    other = on.serving(Precision(said.instead.split()[0].lower()), chip)
                    assert other is None or other.served.value, (engine.id, chip, said.precision)


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
        (REFUSED_INSTEAD_OF_ITSELF, "not bf16 itself"),
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


def test_every_engine_says_what_it_serves_and_where_that_was_read() -> None:
    """What nobody states is not served: a gateway says so instead of asking."""
    for engine in CATALOG.engines.values():
        assert engine.serves
        assert ApiPath.CHAT in engine.paths
        assert all(each.source and each.confidence is not Confidence.UNKNOWN for each in engine.serves)
    assert ApiPath.MESSAGES in CATALOG.engines["llama.cpp"].paths
    assert ApiPath.MESSAGES not in CATALOG.engines["mindie"].paths


def test_a_file_that_says_nothing_of_paths_means_those_of_its_tasks(tmp_path: Path) -> None:
    """As engines had before there was a word for it."""
    load(tmp_path, "")
    engine = load_catalog(tmp_path).engines["example"]
    assert engine.paths == (ApiPath.CHAT, ApiPath.COMPLETIONS)


SERVES = '[[serves]]\npaths = ["{}"]\nconfidence = "{}"\nsource = "a page"\n[[on]]\nstack = "cpu"'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (SERVES.format("/v1/chat", "vendor"), "/v1/chat/completions"),
        (SERVES.format("/rerank", "unknown"), "unknown confidence"),
        (SERVES.format('/rerank", "/rerank', "vendor"), "named twice"),
    ],
)
def test_a_wrong_path_is_told(line: str, said: str, tmp_path: Path) -> None:
    """A path that no gateway knows, one that nobody states, one that is named twice."""
    with pytest.raises(BadInput, match=said):
        load(tmp_path, f'sources = ["a page"]\n{line}')
