"""`alliage chips` and `alliage chip`, and the routes behind them, against a real admin API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from alliage.faces.admin.catalog_answers import ChipDetailAnswer
from alliage.faces.admin.catalog_routes import near_names, tell_chip, tell_stack
from alliage.faces.cli import chip_tables
from tests.builders import CATALOG
from tests.faces.served import USER_KEY, Served, served
from tests.faces.shell import alliage
from tests.faces.test_cli_words import drawn


@pytest.fixture(scope="module")
def cloud() -> Iterator[Served]:
    """One cloud for all tests: none changes it."""
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def home(cloud: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its home folder."""
    root = tmp_path_factory.mktemp("chips") / "home"
    cloud.announce(root)
    return root


def ask(cloud: Served, path: str, status: int = 200) -> dict[str, Any]:
    """What the API answers to a user."""
    headers = {"Authorization": f"Bearer {USER_KEY}"}
    response = httpx2.get(cloud.url + path, headers=headers, trust_env=False, timeout=20)
    assert response.status_code == status, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_api_lists_chips(cloud: Served) -> None:
    """All of them by maker; those of one maker, whatever its case; those here."""
    every = ask(cloud, "/v1/chips")["chips"]
    assert {each["id"] for each in every} == set(CATALOG.chips)
    assert [each["maker"] for each in every] == sorted(each["maker"] for each in every)
    huawei = ask(cloud, "/v1/chips?maker=HUAWEI")["chips"]
    assert {each["id"] for each in huawei} >= {"huawei-910b", "huawei-910c", "huawei-310p"}
    (here,) = ask(cloud, "/v1/chips?here=true")["chips"]
    assert (here["id"], here["devices"]) == ("cpu-x86", ["laptop/cpu0"])
    assert ask(cloud, "/v1/chips?here=true&maker=nvidia") == {"chips": []}
    error = ask(cloud, "/v1/chips?maker=acme", 404)["error"]
    assert "'acme'" in error["message"]
    assert "thead" in error["remedy"]


def test_the_api_tells_a_chip(cloud: Served) -> None:
    """Each fact with its source and confidence, an unknown one as null, and the stack."""
    told = ask(cloud, "/v1/chips/thead-ppu-810e")
    assert told["chip"]["bandwidth_gbs"] == {"value": None, "confidence": "unknown", "source": ""}
    assert told["chip"]["memory_gb"]["value"] == 96
    assert told["chip"]["memory_gb"]["confidence"] == "vendor"
    assert told["chip"]["tflops"]["fp8"]["value"] == 0
    assert told["chip"]["year"]["value"] == 2026
    assert (told["stack"]["id"], told["stack"]["container"]) == ("thead", "in-image")
    assert told["stack"]["pci_vendors"] == ["1ded"]


def test_a_mistyped_name_is_helped(cloud: Served) -> None:
    """Part of a name or a slip leads to the chips that may be meant."""
    assert "thead-ppu-810e" in ask(cloud, "/v1/chips/ppu_810e", 404)["error"]["remedy"]
    assert "nvidia-h20" in ask(cloud, "/v1/chips/nvida-h20", 404)["error"]["remedy"]
    assert "alliage chips" in ask(cloud, "/v1/chips/qqqqqqqq", 404)["error"]["remedy"]


def test_near_names() -> None:
    """Names that hold every word come first, the rest by spelling; at most three."""
    known = dict.fromkeys(("nvidia-h20", "nvidia-h200-sxm", "nvidia-h200-nvl", "nvidia-h20-3e", "amd-mi300x"))
    assert near_names("H20", known) == ("nvidia-h20", "nvidia-h200-sxm", "nvidia-h200-nvl")
    assert near_names("sxm h200", known) == ("nvidia-h200-sxm",)
    assert near_names("amd-mi300", known) == ("amd-mi300x",)
    assert near_names("amd-m300x", known) == ("amd-mi300x",)
    assert near_names("zzz", known) == ()


def test_chips_on_the_command_line(home: Path) -> None:
    """The issue's first proof: at least 56 chips of 15 makers."""
    ran = alliage("chips", home=home)
    assert ran.code == 0, ran
    rows = {line.split()[0]: line for line in ran.out.splitlines()[1:]}
    assert set(rows) == set(CATALOG.chips)
    assert len(rows) >= 56
    assert len({CATALOG.chips[each].maker for each in rows}) >= 15
    assert "unknown" in rows["thead-ppu-810e"]
    assert f"{len(rows)} chips" in ran.err
    assert list(json.loads(alliage("chips", "--maker", "thead", "--json", home=home).out)) == ["chips"]
    here = alliage("chips", "--here", home=home)
    assert [line.split()[0] for line in here.out.splitlines()[1:]] == ["cpu-x86"]
    assert alliage("chips", "--here", "--maker", "thead", home=home).err.startswith("no connected node")


def test_a_chip_on_the_command_line(home: Path) -> None:
    """The bandwidth that nobody published is shown as unknown; a wrong name is answered with the right one."""
    ran = alliage("chip", "thead-ppu-810e", home=home)
    assert ran.code == 0, ran
    lines = {" ".join(line.split()[:2]): line for line in ran.out.splitlines() if line}
    assert lines["bandwidth unknown"].split() == ["bandwidth", "unknown", "unknown"]
    assert "vendor" in lines["memory 96"]
    assert "gpustack/runtime@88026d6" in lines["memory 96"]
    assert "cannot compute in it" in lines["FP8 no"]
    assert "CUDA_VISIBLE_DEVICES" in lines["visible devices"]
    assert json.loads(alliage("chip", "thead-ppu-810e", "--json", home=home).out)["chip"]["id"] == "thead-ppu-810e"
    wrong = alliage("chip", "ppu-810", home=home)
    assert wrong.code == 1
    assert "did you mean thead-ppu-810e?" in wrong.err


@pytest.mark.parametrize("name", sorted(CATALOG.chips))
def test_every_chip_can_be_shown(name: str) -> None:
    """Each value of each chip with its source, and its stack."""
    chip = CATALOG.chips[name]
    detail = ChipDetailAnswer(chip=tell_chip(chip, ()), stack=tell_stack(CATALOG.stacks[chip.stack]))
    text = " ".join(" ".join(drawn(*chip_tables.detail_parts(detail))).split())
    assert chip.name in text
    assert f"({chip.stack})" in text
    for fact in (chip.memory_gb, chip.bandwidth_gbs, chip.tdp_w):
        assert fact.value is None or chip_tables.figure(fact.value) in text


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "GB", "unknown"),
        (96.0, "GB", "96 GB"),
        (2026, "", "2026"),
        (362.05, "TFLOPS", "362.05 TFLOPS"),
        ("HBM3", "", "HBM3"),
        (0, "GB/s", "0 GB/s"),
    ],
)
def test_figures_read_as_they_were_written(value: float | str | None, unit: str, words: str) -> None:
    """No figure gains or loses digits."""
    assert chip_tables.figure(value, unit) == words


def test_marks() -> None:
    """A letter says who says so; a speed of 0 is a no, and only a speed."""
    assert chip_tables.marked(4000.0, "vendor") == "4000 v"
    assert chip_tables.marked(None, "unknown") == "unknown"
    assert chip_tables.marked(0.0, "community") == "0 c"
    assert chip_tables.marked_speed(0.0, "community") == "no c"
