"""One real machine: what an H100 80GB HBM3 (driver 580.159.04) told on 2026-11-26, by every way that Alliage asks.

What it told at work is of the next day, while llama.cpp served from it.
"""

import sys
from pathlib import Path

import pytest

from alliage.fleet.nodes import Device
from alliage.runtimes.detection.accelerators import Detected, detect_accelerators
from alliage.runtimes.detection.libraries import GPUSTACK, NVML
from alliage.units import MIB
from tests.runtimes.detection.machine import CATALOG, NODE, Machine

H100_CSV = """\
index, uuid, name, pci.bus_id, memory.total [MiB], memory.free [MiB], utilization.gpu [%], temperature.gpu, power.draw [W], power.limit [W], driver_version, ecc.errors.uncorrected.volatile.total
0, GPU-00000000, NVIDIA H100 80GB HBM3, 00000000:00:06.0, 81559, 81079, 0, 32, 70.75, 700.00, 580.159.04, 0
"""
H100 = """\
Thu Nov 26 13:22:53 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.159.04             Driver Version: 580.159.04     CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:00:06.0 Off |                    0 |
| N/A   32C    P0             70W /  700W |       0MiB /  81559MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|  No running processes found                                                             |
+-----------------------------------------------------------------------------------------+
"""
H100_AT_WORK_CSV = """\
index, uuid, name, pci.bus_id, memory.total [MiB], memory.free [MiB], utilization.gpu [%], temperature.gpu, power.draw [W], power.limit [W], driver_version, ecc.errors.uncorrected.volatile.total
0, GPU-00000000, NVIDIA H100 80GB HBM3, 00000000:00:06.0, 81559, 63767, 92, 71, 519.34, 700.00, 580.159.04, 0
"""
H100_AT_WORK = """\
Fri Nov 27 02:50:37 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.159.04             Driver Version: 580.159.04     CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:00:06.0 Off |                    0 |
| N/A   71C    P0            519W /  700W |   17313MiB /  81559MiB |     92%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|    0   N/A  N/A            4357      C   build/bin/llama-batched-bench         17304MiB |
+-----------------------------------------------------------------------------------------+
"""
H100_NVML = """\

alliage-devices:[{"name": "NVIDIA H100 80GB HBM3", "index": 0, "die": null, "physical_index": 0, "uuid": "GPU-00000000", "pci_address": "0000:00:06.0", "memory_total_bytes": 85520809984, "memory_free_bytes": 85017493504, "utilisation_percent": 0, "temperature_c": 31, "power_w": 70.659, "power_limit_w": 700.0, "health": null, "driver": "580.159.04", "sdk": "CUDA 13.0", "links": null}]
"""
H100_GPUSTACK = """\

alliage-devices:[{"name": "NVIDIA H100 80GB HBM3", "index": 0, "die": null, "physical_index": 0, "uuid": "GPU-00000000", "pci_address": "0000:00:06.0", "memory_total_bytes": 85520809984, "memory_free_bytes": 85520809984, "utilisation_percent": 0, "temperature_c": 31, "power_w": 70, "power_limit_w": 700, "health": null, "driver": "580.159.04", "sdk": "13.0.0", "links": null}]
"""


def the_machine(root: Path) -> Machine:
    """A virtual machine: the card beside virtio's disks and network, and no node that the kernel would tell (-1)."""
    machine = Machine(root=root)
    machine.plug("0000:00:00.0", "8086:0d57", kind="0x060000", driver="", numa_node="-1")
    machine.plug("0000:00:01.0", "1af4:1042", kind="0x018000", driver="virtio-pci", numa_node="-1")
    machine.plug("0000:00:04.0", "1af4:1053", kind="0xffff00", driver="virtio-pci", numa_node="-1")
    machine.plug("0000:00:06.0", "10de:2330", kind="0x030200", driver="nvidia", numa_node="-1")
    machine.file("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
    return machine


def look(machine: Machine, *libraries: str) -> Detected:
    """What is found when these libraries are installed."""
    return detect_accelerators(
        CATALOG.chips, CATALOG.stacks, node=NODE, pci_root=machine.root / "pci", dev_root=machine.root / "files",
        run=machine.run, libraries=frozenset(libraries),
    )  # fmt: skip


def the_card(detected: Detected) -> Device:
    """The one device, of which nothing is missing."""
    assert (detected.problems, detected.unanswered) == ((), ())
    (device,) = detected.devices
    return device


@pytest.mark.parametrize(
    ("program", "text", "libraries", "teller", "free_mib"),
    [
        (Path(sys.executable).name, H100_NVML, (NVML,), NVML, 81079),
        (Path(sys.executable).name, H100_GPUSTACK, (GPUSTACK,), GPUSTACK, 81559),
        ("nvidia-smi", H100_CSV, (), "nvidia-smi", 81079),
        ("nvidia-smi", H100, (), "nvidia-smi", 81559),
    ],
)
def test_every_way_of_asking_finds_the_same_card(  # noqa: PLR0917 - a table of cases
    tmp_path: Path, program: str, text: str, libraries: tuple[str, ...], teller: str, free_mib: int
) -> None:
    """Its entry of the catalogue, its memory and its facts; only free memory depends on who is asked."""
    machine = the_machine(tmp_path)
    machine.says(program, text)
    detected = look(machine, *libraries)
    device = the_card(detected)
    assert (device.id, device.chip, device.memory_bytes) == ("here/nvidia0", "nvidia-h100-sxm", 81559 * MIB)
    assert detected.free_bytes == {device.id: free_mib * MIB}
    facts = dict(device.facts)
    assert (facts["model"], facts["driver"], facts["health"]) == ("NVIDIA H100 80GB HBM3", "580.159.04", "ok")
    assert (facts["pci"], facts["pci ids"], facts["power limit"]) == ("0000:00:06.0", "10de:2330", "700 W")
    assert facts["told by"] == teller
    assert "numa node" not in facts


@pytest.mark.parametrize(
    ("text", "free_mib", "power"), [(H100_AT_WORK_CSV, 63767, "519.3 W"), (H100_AT_WORK, 64246, "519 W")]
)
def test_a_card_at_work_tells_the_same_and_what_it_is_busy_with_is_no_card(
    tmp_path: Path, text: str, free_mib: int, power: str
) -> None:
    """Its table lists the process under the same columns; the driver's own 479 MiB count as free there only."""
    machine = the_machine(tmp_path)
    machine.says("nvidia-smi", text)
    detected = look(machine)
    device = the_card(detected)
    assert (device.chip, device.memory_bytes) == ("nvidia-h100-sxm", 81559 * MIB)
    assert detected.free_bytes == {device.id: free_mib * MIB}
    facts = dict(device.facts)
    assert (facts["utilisation"], facts["temperature"], facts["power"]) == ("92 %", "71 C", power)


def test_milliwatts_are_not_shown(tmp_path: Path) -> None:
    """NVML told 70.659 W; a watt's thousandth is noise to who reads it."""
    machine = the_machine(tmp_path)
    machine.says(Path(sys.executable).name, H100_NVML)
    assert the_card(look(machine, NVML)).facts["power"] == "70.66 W"


def test_without_library_and_tool_the_card_is_seen_and_the_lack_is_told(tmp_path: Path) -> None:
    """PCI alone: a device whose chip nobody told, and what to install."""
    detected = look(the_machine(tmp_path))
    assert [(device.id, device.chip) for device in detected.devices] == [("here/nvidia0", "unknown-nvidia")]
    assert [problem.fix for problem in detected.problems] == ["sudo apt-get install nvidia-utils"]
