"""`alliage fit` and the route behind it, against a real admin API."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alliage.faces.admin.fit_answers import FitRowAnswer
from alliage.faces.cli.fitting import BAR_CELLS, memory_bar
from tests.faces.served import Served, served
from tests.faces.shell import alliage


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home folder of one cloud for all tests: none changes it."""
    with served() as cloud:
        yield announced(cloud, tmp_path_factory.mktemp("fit") / "home")


def announced(cloud: Served, root: Path) -> Path:
    """A home folder that says where the cloud is."""
    cloud.announce(root)
    return root


def test_table_shows_ways_and_reasons(home: Path) -> None:
    """Chip, precision, range and users of what can; engine, chip and remedy of what cannot."""
    shown = alliage("fit", "qwen3-32b", "--tpot", "50ms", "--chips", "huawei-910b,nvidia-h20", "--all", home=home)
    assert shown.code == 0, shown.err
    for words in ("x huawei-910b", "x nvidia-h20", "INT8", "estimated", "does not serve FP8 on huawei-910b: use INT8"):
        assert words in shown.out


def test_json_is_what_the_api_answered(home: Path) -> None:
    """Figures with their range and evidence, reasons as data."""
    shown = alliage("fit", "qwen3-8b", "--chips", "nvidia-h20", "--json", home=home)
    answer = json.loads(shown.out)
    for row in answer["rows"]:
        assert row["throughput_low_tps"] < row["throughput_tps"] < row["throughput_high_tps"]
        assert row["evidence"] == "estimated"
    assert {each["code"] for each in answer["rejected"]} <= {
        "precision_unserved",
        "precision_unknown",
        "format_unserved",
    }


def test_model_that_nothing_can_run_exits_with_1(home: Path) -> None:
    """Only chips that are too small: every reason is told."""
    shown = alliage("fit", "deepseek-r1", "--chips", "nvidia-t4", home=home)
    assert shown.code == 1
    assert "T4" in shown.out.upper()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("qwen3-33b",), "qwen3-32b"), (("qwen3-32b", "--chips", "huawei-910"), "huawei-910b")],
)
def test_mistyped_names_get_suggestions(home: Path, arguments: tuple[str, ...], word: str) -> None:
    """Of models and of chips."""
    shown = alliage("fit", *arguments, home=home)
    assert shown.code == 1
    assert word in shown.err


def test_memory_bar_never_hides_a_part() -> None:
    """A small KV cache has its cell, and the bar never grows beyond its width."""
    row = FitRowAnswer(
        chip="c", engine="e", precision="BF16", devices=1, weight_bytes=990, kv_bytes=1, usable_bytes=1000, users=None,
        ttft_s=None, tpot_s=None, throughput_tps=None, throughput_low_tps=None, throughput_high_tps=None,
        evidence="unknown", unknown="bandwidth of c",
    )  # fmt: skip
    assert memory_bar(row) == "#" * (BAR_CELLS - 1) + "+"
    assert memory_bar(row.model_copy(update={"weight_bytes": 500})) == "######+....."
