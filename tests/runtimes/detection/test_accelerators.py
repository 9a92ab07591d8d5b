"""A whole look at machines of many kinds: ids decide, tools tell, the catalogue names, problems say what to do."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Stack
from alliage.runtimes.detection.accelerators import Detected, detect_accelerators
from alliage.runtimes.detection.described import chip_of
from alliage.runtimes.detection.files import device_files
from alliage.runtimes.detection.libraries import MARK, NVML
from alliage.runtimes.detection.problems import Lack
from alliage.runtimes.detection.running import End
from alliage.units import GIB, MIB
from tests.runtimes.detection import tables
from tests.runtimes.detection.machine import CATALOG, NODE, Machine


def _chips(detected: Detected) -> dict[str, str]:
    return {device.id: device.chip for device in detected.devices}


def _lacks(detected: Detected) -> list[tuple[str, Lack]]:
    return [(problem.stack, problem.lack) for problem in detected.problems]


def _ppu(tmp_path: Path) -> Machine:
    machine = Machine(root=tmp_path)
    machine.plug("0001:0a:00.0", "1ded:1001", numa_node="1")
    machine.file("/dev/alixpu_ppu3")
    machine.says("ppu-smi", tables.PPU)
    return machine


def test_an_empty_machine_has_nothing_and_asks_nobody(tmp_path: Path) -> None:
    """Tools that are installed without a card of theirs are not run."""
    machine = Machine(root=tmp_path)
    machine.says("nvidia-smi", tables.NVIDIA_CSV)
    assert machine.detect() == Detected()
    assert machine.asked == []


def test_a_ppu_with_all_its_facts(tmp_path: Path) -> None:
    """Chip, live memory, and facts for people; what is not told is not there."""
    detected = _ppu(tmp_path).detect()
    (device,) = detected.devices
    assert (device.id, device.chip, device.cores, device.memory_bytes) == (
        "here/thead3", "thead-ppu-810e", (), 98304 * MIB,
    )  # fmt: skip
    assert detected.free_bytes == {device.id: 8304 * MIB}
    assert detected.problems == ()
    assert dict(device.facts) == {
        "stack": "thead", "model": "PPU-ZW810E", "memory": "96 GiB", "health": "2 uncorrectable memory errors",
        "driver": "9.2.3-abc", "sdk": "HGGC 14.2", "pci": "0001:0a:00.0", "pci ids": "1ded:1001", "numa node": "1",
        "index": "3", "visible index": "0", "power limit": "400 W", "temperature": "55 C", "power": "310 W",
        "utilisation": "77 %", "told by": "ppu-smi",
    }  # fmt: skip


def test_an_nvidia_smi_of_another_make_is_not_asked(tmp_path: Path) -> None:
    """PPU images ship one: where PCI shows no card of Nvidia there is none, whatever the program says."""
    machine = _ppu(tmp_path)
    machine.says("nvidia-smi", tables.NVIDIA_CSV)
    assert _chips(machine.detect()) == {"here/thead3": "thead-ppu-810e"}
    assert machine.asked == ["ppu-smi"]


def test_several_makes_in_one_machine(tmp_path: Path) -> None:
    """Each by its own tool; Intel's and Kunlun's have one name, and each is read as the vendor's own prints it."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:18:00.0", "10de:2329", kind="0x030200")
    machine.plug("0000:3b:00.0", "10de:2684", kind="0x030000")
    machine.plug("0000:0b:00.0", "9999:4001", kind="0x030000")
    machine.plug("0000:03:00.0", "1d22:3684")
    machine.file("/dev/nvidia0", "/dev/nvidia2", "/dev/xpu5")
    machine.says("nvidia-smi", tables.NVIDIA_CSV)
    machine.says("mx-smi", tables.METAX)
    machine.says("xpu-smi", tables.KUNLUN)
    detected = machine.detect()
    assert _chips(detected) == {
        "here/kunlun5": "kunlun-p800",
        "here/metax7": "metax-c500",
        "here/nvidia0": "nvidia-h20",
        "here/nvidia2": "nvidia-rtx-4090",
    }
    assert detected.problems == ()
    modified = detected.devices[-1]
    assert modified.memory_bytes == 49140 * MIB, "the live value, not the data sheet's 24 GB"
    assert modified.id not in detected.free_bytes


def test_a_910c_board_is_two_devices(tmp_path: Path) -> None:
    """Boards 0 and 4 with two dies each: numbered by what is unique, the number of the device file."""
    machine = Machine(root=tmp_path)
    for address in ("0000:9d:00.0", "0000:9f:00.0", "0000:a1:00.0", "0000:a3:00.0"):
        machine.plug(address, "19e5:d803")
    machine.file("/dev/davinci0", "/dev/davinci1", "/dev/davinci8", "/dev/davinci9")
    machine.says("npu-smi", tables.ASCEND_910C)
    detected = machine.detect()
    assert _chips(detected) == dict.fromkeys(
        ("here/ascend0", "here/ascend1", "here/ascend8", "here/ascend9"), "huawei-910c"
    )
    last = detected.devices[-1].facts
    assert (last["index"], last["die"], last["physical index"], last["visible index"]) == ("4", "1", "9", "3")
    assert detected.devices[1].facts["health"] == "Warning"
    assert detected.problems == ()


def test_amd_and_hygon_share_kfd_but_not_their_ids(tmp_path: Path) -> None:
    """Hygon's are co-processors to PCI; its table has neither names nor sizes: sysfs has the sizes, JSON the names."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:83:00.0", "1002:74a1")
    sizes = {"mem_info_vram_total": str(64 * GIB), "mem_info_vram_used": str(GIB)}
    machine.plug("0000:43:00.0", "1d94:6210", kind="0x0b4000", **sizes)
    machine.plug("0000:44:00.0", "1d94:6210", kind="0x0b4000", **sizes)
    machine.file("/dev/kfd")
    machine.says("amd-smi", tables.AMD)
    machine.says("hy-smi", tables.HYGON)
    detected = machine.detect()
    assert _chips(detected) == {
        "here/amd2": "amd-mi300x", "here/hygon0": "unknown-hygon", "here/hygon4": "unknown-hygon",
    }  # fmt: skip
    assert [device.memory_bytes for device in detected.devices[1:]] == [64 * GIB, 64 * GIB]
    assert detected.free_bytes[detected.devices[1].id] == 63 * GIB
    assert _lacks(detected) == [("hygon", Lack.CHIP), ("hygon", Lack.CHIP)]
    machine.says("hy-smi", tables.HYGON_JSON)
    named = machine.detect()
    assert _chips(named)["here/hygon1"] == "hygon-k100-ai"


def test_without_a_known_pci_id_the_device_files_decide(tmp_path: Path) -> None:
    """Biren: no file, no look; a file, and its tool is asked."""
    machine = Machine(root=tmp_path)
    machine.says("brsmi", tables.BIREN)
    assert machine.detect().devices == ()
    machine.file("/dev/biren/card_0")
    assert _chips(machine.detect()) == {"here/biren0": "biren-br106"}


def test_a_tool_that_is_not_there_leaves_what_pci_shows(tmp_path: Path) -> None:
    """The cards are reported as unknown, with the command that installs the tool."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:18:00.0", "10de:2329", kind="0x030200")
    machine.file("/dev/nvidia0")
    detected = machine.detect()
    (device,) = detected.devices
    assert (device.id, device.chip, device.memory_bytes) == ("here/nvidia0", "unknown-nvidia", 0)
    assert device.facts["health"] == "unknown"
    assert device.facts["told by"] == "PCI"
    assert detected.unanswered == ("nvidia",)
    (problem,) = detected.problems
    assert (problem.lack, problem.what) == (Lack.TOOL, "there is no nvidia-smi to ask (CUDA)")
    assert problem.fix.startswith("sudo apt-get install")


@pytest.mark.parametrize(
    ("text", "end", "why", "told"),
    [
        ("", End.HUNG, "ppu-smi did not answer within 10 s and was ended", "did not answer within 10 s"),
        ("", End.NOT_EXECUTABLE, "ppu-smi cannot be run: Permission denied", "Permission denied"),
        ("", End.ANSWERED, "", "ppu-smi printed nothing"),
        ("init hgml error: driver not loaded\n", End.ANSWERED, "", "init hgml error: driver not loaded"),
        ("x" * 5000, End.FAILED, "ppu-smi failed with exit code 9", "exit code 9"),
        (tables.PPU[:200], End.ANSWERED, "", "told no devices"),
    ],
)
def test_a_tool_that_is_no_help_is_a_problem_with_its_words(
    tmp_path: Path, text: str, end: End, why: str, told: str
) -> None:
    """Hanging, not executable, silent, driver not loaded, failing, cut off: the card stays known, and why it is not used."""
    machine = _ppu(tmp_path)
    machine.says("ppu-smi", text, end=end, why=why)
    detected = machine.detect()
    assert [device.chip for device in detected.devices] == ["unknown-thead"]
    (problem,) = detected.problems
    assert problem.lack is Lack.TOOL
    assert told in problem.what
    assert problem.fix == "see what it says: ppu-smi"


def test_an_answer_of_a_tool_that_then_failed_is_an_answer(tmp_path: Path) -> None:
    """One that lists its devices and ends with an exit code, as some do when one card is ill."""
    machine = _ppu(tmp_path)
    machine.says("ppu-smi", tables.PPU, end=End.FAILED, why="ppu-smi failed with exit code 1")
    assert _chips(machine.detect()) == {"here/thead3": "thead-ppu-810e"}


@pytest.mark.parametrize(
    ("line", "teller"), [(f'{MARK}[{{"name": "NVIDIA H20", "index": 0}}]', NVML), ("", "nvidia-smi")]
)
def test_a_library_is_asked_before_the_tool_and_the_tool_where_it_cannot_tell(
    tmp_path: Path, line: str, teller: str
) -> None:
    """Whoever told is named; a library that answers spares the run of the tool."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:18:00.0", "10de:2329", kind="0x030200")
    machine.says("nvidia-smi", tables.NVIDIA_CSV)
    machine.says(Path(sys.executable).name, line)
    detected = detect_accelerators(
        CATALOG.chips, CATALOG.stacks, node=NODE, pci_root=tmp_path / "pci", dev_root=tmp_path, run=machine.run,
        libraries=frozenset({NVML}),
    )  # fmt: skip
    assert detected.devices[0].chip == "nvidia-h20"
    assert detected.devices[0].facts["told by"] == teller
    assert ("nvidia-smi" in machine.asked) == (teller == "nvidia-smi")


def test_a_name_that_no_chip_has_is_reported_and_left_alone(tmp_path: Path) -> None:
    """With what to write where."""
    machine = _ppu(tmp_path)
    machine.says("ppu-smi", tables.PPU.replace("PPU-ZW810E", "PPU-ZX1    "))
    detected = machine.detect()
    assert _chips(detected) == {"here/thead3": "unknown-thead"}
    (problem,) = detected.problems
    assert problem.lack is Lack.CHIP
    assert "'PPU-ZX1'" in problem.what
    assert "detected_as = ['PPU-ZX1']" in problem.fix


def test_no_driver_and_no_device_file_say_what_to_do(tmp_path: Path) -> None:
    """Each with its own fix."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:18:00.0", "10de:2329", kind="0x030200", driver="")
    machine.plug("0001:0a:00.0", "1ded:1001")
    machine.says("ppu-smi", tables.PPU)
    problems = {(problem.stack, problem.lack): problem for problem in machine.detect().problems}
    driver = problems["nvidia", Lack.DRIVER]
    assert "0000:18:00.0" in driver.what
    assert driver.fix == "sudo ubuntu-drivers install; then: lspci -nnk -s 0000:18:00.0"
    assert "/dev/alixpu_ppu0" in problems["thead", Lack.DEVICE_FILE].what


def test_files_that_this_user_may_not_open(tmp_path: Path) -> None:
    """Told with the group that may; root may open all, so the rights are looked at and not tried then."""
    machine = _ppu(tmp_path)
    path = tmp_path / "files" / "dev" / "alixpu_ppu3"
    path.chmod(0o000)
    (file,) = device_files(CATALOG.stacks["thead"], tmp_path / "files")
    assert file.path == "/dev/alixpu_ppu3"
    assert file.usable == (os.geteuid() == 0)
    lacks = _lacks(machine.detect())
    assert lacks == ([] if file.usable else [("thead", Lack.PERMISSION)])


def test_a_card_that_the_driver_lost_is_missed(tmp_path: Path) -> None:
    """PCI shows two, both have their files, the tool tells one; in a container with one file nothing is missed."""
    machine = _ppu(tmp_path)
    machine.plug("0001:0b:00.0", "1ded:1001")
    assert _lacks(machine.detect()) == []
    machine.file("/dev/alixpu_ppu4")
    (problem,) = machine.detect().problems
    assert problem.lack is Lack.DEVICE
    assert "0001:0b:00.0" in problem.what


def test_a_chip_is_known_by_its_pci_ids_where_nothing_names_it() -> None:
    """Whole matches, in any case, of the name first and of `vendor:device` then."""
    by_ids = replace(CATALOG.chips["thead-ppu-810e"], id="by-ids", detected_as=("1ae0:0063",))
    chips = (by_ids, CATALOG.chips["nvidia-h20"], CATALOG.chips["nvidia-h200-sxm"])
    found = [chip_of(chips, name, "1ae0:0063") for name in ("nvidia h20", "NVIDIA H200", "NVIDIA H20Z", None)]
    assert [chip.id if chip is not None else None for chip in found] == [
        "nvidia-h20", "nvidia-h200-sxm", "by-ids", "by-ids",
    ]  # fmt: skip
    assert chip_of(chips, None, None) is None


def test_an_invented_chip_and_stack_need_toml_only(tmp_path: Path) -> None:
    """Its PCI vendor, its tool with the usual table, its chip's name: detected without a line of code."""
    home = tmp_path / "catalog"
    (home / "stacks").mkdir(parents=True)
    (home / "chips").mkdir()
    (home / "stacks" / "acme.toml").write_text(
        'id = "acme"\nmaker = "acme"\nname = "Acme One"\npci_vendors = ["fade"]\nsmi = ["acme-smi"]\n'
    )
    (home / "chips" / "acme-one.toml").write_text(
        'id = "acme-one"\nmaker = "acme"\nname = "One"\nstack = "acme"\nsharing = "whole"\ndetected_as = ["Acme One.*"]\n'
    )
    catalog = load_catalog(home)
    machine = Machine(root=tmp_path)
    machine.plug("0000:21:00.0", "fade:0001")
    machine.says("acme-smi", tables.GAUDI.replace("HL-325", "Acme One X"))
    detected = detect_accelerators(
        catalog.chips, catalog.stacks, node=NODE, pci_root=tmp_path / "pci", dev_root=tmp_path, run=machine.run,
        libraries=frozenset(),
    )  # fmt: skip
    assert _chips(detected) == {"here/acme6": "acme-one"}
    assert detected.problems == ()


def test_every_stack_can_be_missing_everything(tmp_path: Path) -> None:
    """Whatever stack is there without driver, tool and files: devices or not, each problem has a sentence and a fix."""
    machine = Machine(root=tmp_path)
    stacks: list[Stack] = [stack for stack in CATALOG.stacks.values() if stack.pci_vendors]
    for number, stack in enumerate(stacks):
        ids = f"{stack.pci_vendors[0]}:{stack.pci_devices[0] if stack.pci_devices else '0001'}"
        kind = f"0x{stack.pci_classes[0].ljust(6, '0')}"
        machine.plug(f"0000:{number + 16:02x}:00.0", ids, kind=kind, driver="")
    detected = machine.detect()
    assert {device.facts["stack"] for device in detected.devices} == {stack.id for stack in stacks}
    for stack in stacks:
        assert {(stack.id, Lack.DRIVER), (stack.id, Lack.TOOL)} <= set(_lacks(detected))
    assert all(problem.what and problem.fix for problem in detected.problems)
