"""Every chip and stack that is shipped: figures within reason, sources told, names that lead to one chip only."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from alliage.catalog.records import Chip, Confidence, ContainerPolicy, Fact, Precision, Sharing, Stack
from tests.builders import CATALOG
from tests.data import data_folder

CHIPS: Final = tuple(CATALOG.chips.values())
STACKS: Final = tuple(CATALOG.stacks.values())
FILES: Final = Path(__file__).parents[2] / "src" / "alliage" / "catalog" / "data"
MAKERS: Final = {
    *("nvidia", "thead", "huawei", "cambricon", "metax", "biren", "mthreads", "kunlun"),
    *("hygon", "iluvatar", "enflame", "amd", "intel", "google", "aws"),
}
PLAIN: Final = ("memory_gb", "memory_type", "bandwidth_gbs", "link", "link_gbs", "pcie", "tdp_w", "process_nm", "year")
SEEN: Final = {
    "nvidia": {
        "NVIDIA H100 80GB HBM3": "nvidia-h100-sxm",
        "NVIDIA H100 PCIe": "nvidia-h100-pcie",
        "NVIDIA H200": "nvidia-h200-sxm",
        "NVIDIA H200 NVL": "nvidia-h200-nvl",
        "NVIDIA H20": "nvidia-h20",
        "Tesla T4": "nvidia-t4",
        "NVIDIA L40S": "nvidia-l40s",
        "NVIDIA GeForce RTX 4090": "nvidia-rtx-4090",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition": "nvidia-rtx-pro-6000-server",
    },
    "thead": {"PPU-ZW810E": "thead-ppu-810e"},
    "ascend": {
        "910B4": "huawei-910b",
        "910B2C": "huawei-910b",
        "310P3": "huawei-310p",
        "Ascend910": "huawei-910c",
    },
    "metax": {"MetaX C550": "metax-c550", "MetaX C500": "metax-c500", "MXC500": "metax-c500"},
    "mthreads": {"MTT S5000": "mthreads-s5000"},
    "cambricon": {"MLU370-X8": "cambricon-mlu370-x8", "MLU590-M9": "cambricon-mlu590"},
    "hygon": {"K100_AI": "hygon-k100-ai"},
    "iluvatar": {"Iluvatar MR-V100 DUO": "iluvatar-mr-v100", "Iluvatar BI-V150": "iluvatar-bi-v150"},
    "enflame": {"S60": "enflame-s60", "L300": "enflame-l300"},
    "kunlun": {"P800 OAM": "kunlun-p800"},
    "biren": {"Biren106M": "biren-br106"},
    "amd": {"AMD Instinct MI300X VF": "amd-mi300x", "AMD Instinct MI308X": "amd-mi308x"},
    "gaudi": {"HL-225": "intel-gaudi2", "HL-325": "intel-gaudi3"},
    "intel-xpu": {"Intel(R) Arc(TM) Pro B60 Graphics": "intel-arc-pro-b60"},
    "neuron": {"trn2n.48xlarge": "aws-trn2", "inf2.48xlarge": "aws-inf2", "trn1.32xlarge": "aws-trn1"},
}
"""Names by which tools tell chips, and the chip that is meant."""


def facts_of(chip: Chip) -> Iterator[tuple[str, Fact[float] | Fact[str]]]:
    """Every fact of a chip with its name."""
    for name in (*PLAIN, "training", "price_usd", "price_usd_max"):
        yield name, getattr(chip, name)
    for precision, fact in chip.tflops.items():
        yield precision.value, fact


def test_there_are_as_many_as_promised() -> None:
    """At least 56 chips of 15 makers on 15 vendor stacks, and the CPU's; every stack has a chip."""
    assert len(CHIPS) >= 56
    assert {chip.maker for chip in CHIPS} == MAKERS | {"any"}
    vendors = {stack.id for stack in STACKS} - {"cpu"}
    assert len(vendors) >= 15
    assert vendors <= {chip.stack for chip in CHIPS}


@pytest.mark.parametrize("kind", ["chips", "stacks"])
def test_a_file_is_named_as_its_entry(kind: str) -> None:
    """One file an entry, under its id, so that it is found."""
    ids = {file.stem for file in (FILES / kind).glob("*.toml")}
    assert ids == set(CATALOG.chips if kind == "chips" else CATALOG.stacks)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.id)
def test_every_value_says_who_says_so(chip: Chip) -> None:
    """A value has a source (a publication, no address) and a confidence; without a value it is unknown."""
    assert set(chip.tflops) == set(Precision)
    for name, fact in facts_of(chip):
        if fact.value is None:
            assert fact.confidence is Confidence.UNKNOWN, name
        else:
            assert fact.confidence is not Confidence.UNKNOWN, name
            assert len(fact.source) > 3, name
            assert "://" not in fact.source, name


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.id)
def test_figures_agree_with_each_other(chip: Chip) -> None:
    """Memory, bandwidth, power and year are those of an accelerator; FP8 and INT8 are no slower than 16 bits."""
    bounds = {"memory_gb": (8, 1024), "bandwidth_gbs": (50, 20_000), "tdp_w": (30, 2000), "year": (2012, 2027)}
    for name, (low, high) in bounds.items():
        value = getattr(chip, name).value
        assert value is None or low <= value <= high, name
    sixteen = chip.tflops[Precision.BF16].value
    for eight in (Precision.FP8, Precision.INT8):
        value = chip.tflops[eight].value
        assert not value or not sixteen or sixteen <= value <= 4.2 * sixteen, eight
    if chip.link.value == "none":
        assert chip.link_gbs.value == 0
    low_usd, high_usd = chip.price_usd.value, chip.price_usd_max.value
    assert high_usd is None or (low_usd is not None and low_usd < high_usd)


@pytest.mark.parametrize(
    ("chip", "precision"),
    [
        *[(each, Precision.BF16) for each in ("nvidia-p100", "nvidia-v100", "nvidia-t4", "nvidia-p40")],
        *[(each, Precision.FP16) for each in ("biren-br106", "biren-br166")],
        *[(each, Precision.FP8) for each in ("huawei-910b", "huawei-910c", "thead-ppu-810e", "nvidia-a100-sxm-80gb")],
        ("nvidia-h100-sxm", Precision.FP4),
    ],
)
def test_what_a_chip_cannot_compute_in_is_zero(chip: str, precision: Precision) -> None:
    """A precision that a source rules out is 0, with that source: not the same as unknown."""
    fact = CATALOG.chips[chip].tflops[precision]
    assert fact.value == 0
    assert fact.source


def test_the_unknown_stays_unknown() -> None:
    """Nobody published the bandwidth of the PPU 810E: there is none here."""
    fact = CATALOG.chips["thead-ppu-810e"].bandwidth_gbs
    assert (fact.value, fact.confidence) == (None, Confidence.UNKNOWN)


def test_only_cpus_are_shared_by_cores() -> None:
    """Accelerators are given whole; the CPU that is detected is the one that names machines."""
    assert {chip.stack for chip in CHIPS if chip.sharing is Sharing.CORES} == {"cpu"}
    assert {chip.id for chip in CHIPS if chip.machines} == {"cpu-x86", "cpu-arm"}


@pytest.mark.parametrize("stack", sorted(SEEN))
def test_a_name_leads_to_one_chip(stack: str) -> None:
    """Each name that a tool prints is matched by the chip meant and by no other of its stack."""
    for name, wanted in SEEN[stack].items():
        found = [chip.id for chip in CHIPS if chip.stack == stack and _is_named(chip, name)]
        assert found == [wanted], name


def _is_named(chip: Chip, name: str) -> bool:
    return any(re.fullmatch(pattern, name, re.IGNORECASE) for pattern in chip.detected_as)


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.id)
def test_a_stack_can_be_found(stack: Stack) -> None:
    """By a PCI vendor or by device files, the CPU apart; no two stacks have the same PCI vendor; sources are told."""
    assert stack.sources
    assert stack.id == "cpu" or stack.pci_vendors or stack.device_files
    others = {vendor for other in STACKS if other.id != stack.id for vendor in other.pci_vendors}
    assert not others & set(stack.pci_vendors)
    assert stack.id not in stack.imitates


def test_containers_get_their_libraries_as_published() -> None:
    """Injected on Nvidia, mounted on Ascend, in the image on PPU, Hygon and AMD."""
    policies = {name: CATALOG.stacks[name].container for name in ("nvidia", "ascend", "thead", "hygon", "amd")}
    assert policies == {
        "nvidia": ContainerPolicy.INJECTED,
        "ascend": ContainerPolicy.MOUNTED,
        "thead": ContainerPolicy.IN_IMAGE,
        "hygon": ContainerPolicy.IN_IMAGE,
        "amd": ContainerPolicy.IN_IMAGE,
    }


def test_who_pretends_to_be_cuda_is_known() -> None:
    """Stacks whose torch device is cuda, Nvidia apart, say that they can be taken for Nvidia."""
    pretend = {stack.id for stack in STACKS if stack.torch_device == "cuda"} - {"nvidia"}
    assert pretend >= {"thead", "metax", "iluvatar", "hygon", "kunlun", "amd"}
    assert all("nvidia" in CATALOG.stacks[each].imitates for each in pretend)


def published() -> Mapping[str, Any]:
    """The survey that the catalogue was begun with; skips where it is not there."""
    folder = data_folder()
    if folder is None or not (folder / "chips" / "chips.toml").is_file():
        pytest.skip("no chips.toml: set ALLIAGE_TEST_DATA to the folder that holds chips/chips.toml")
    return tomllib.loads((folder / "chips" / "chips.toml").read_text())


def test_values_are_those_of_the_survey() -> None:
    """Each of its chips is here under its name with its values; what it does not know is unknown, or ruled out."""
    figures = {"bw_gbs": "bandwidth_gbs", "node_nm": "process_nm"}
    speeds = {f"{name}_{'tops' if name == 'int8' else 'tflops'}": name for name in Precision}
    by_name = {chip.name: chip for chip in CHIPS}
    survey = published()["chip"]
    assert len(survey) >= 56
    for entry in survey.values():
        chip = by_name[entry["name"]]
        assert (chip.export, chip.notes) == (entry["export"], entry["notes"])
        for key in ("memory_gb", "memory_type", "bw_gbs", "link", "link_gbs", "pcie", "tdp_w", "node_nm", "year"):
            fact = getattr(chip, figures.get(key, key))
            assert (fact.value, fact.confidence) == (entry[key].get("v"), entry[key]["c"]), (chip.id, key)
        for key, precision in speeds.items():
            fact = chip.tflops[precision]
            known = entry[key].get("v")
            assert fact.value == known if known is not None else not fact.value, (chip.id, key)


def test_stacks_are_those_of_the_survey() -> None:
    """Torch device, PCI vendor, device files and Kubernetes resources of each."""
    for name, entry in published()["stack"].items():
        stack = CATALOG.stacks[name]
        assert stack.torch_device == entry["torch_device"]
        assert entry.get("visible", "").startswith(stack.visible_devices)
        assert set(stack.kubernetes) == set(entry["k8s"])
        assert entry.get("pci_vendor", "0x")[2:] in ("", *stack.pci_vendors)
        told = {re.sub(r"\{\w+\}", "{N}", file).replace("rD*", "r*") for file in entry.get("dev_nodes", ())}
        assert told <= set(stack.device_files), name
