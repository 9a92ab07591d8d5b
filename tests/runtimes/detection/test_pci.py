"""Reading sysfs: whose a function is, what of a vendor's things is a device of ours, and files that are not there."""

from pathlib import Path

from alliage.runtimes.detection.pci import accelerators_of, read_pci
from alliage.units import GIB
from tests.runtimes.detection.machine import CATALOG, Machine


def _stacks_of(machine: Machine) -> dict[str, list[str]]:
    functions = read_pci(machine.root / "pci")
    found = {stack.id: accelerators_of(stack, functions) for stack in CATALOG.stacks.values()}
    return {stack: [each.address for each in devices] for stack, devices in found.items() if devices}


def test_a_function_with_all_that_sysfs_tells(tmp_path: Path) -> None:
    """Ids without 0x, the bound driver, the NUMA node, and the memory that amdgpu's kind of driver tells."""
    machine = Machine(root=tmp_path)
    machine.plug(
        "0000:83:00.0", "1002:74A1", kind="0x120000", driver="amdgpu", numa_node="1",
        mem_info_vram_total=str(192 * GIB), mem_info_vram_used=str(2 * GIB),
    )  # fmt: skip
    (device,) = read_pci(tmp_path / "pci")
    assert (device.ids, device.pci_class, device.driver, device.numa_node) == ("1002:74a1", "120000", "amdgpu", 1)
    assert (device.memory_total_bytes, device.memory_free_bytes) == (192 * GIB, 190 * GIB)
    assert not device.is_virtual


def test_what_sysfs_does_not_tell_is_none(tmp_path: Path) -> None:
    """No driver, NUMA node -1, no memory; a folder without ids is no device; a missing folder is an empty machine."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:01:00.0", "10de:2330", driver="", numa_node="-1")
    (tmp_path / "pci" / "0000:02:00.0").mkdir()
    (device,) = read_pci(tmp_path / "pci")
    assert (device.driver, device.numa_node, device.memory_total_bytes) == (None, None, None)
    assert read_pci(tmp_path / "nowhere") == ()


def test_a_vendors_other_things_are_no_accelerators(tmp_path: Path) -> None:
    """Sound and switches of Nvidia, a network card, an engine and the board's video of Huawei, Alibaba's disks, Hygon's bridges."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:01:00.0", "10de:2330", kind="0x030200")
    machine.plug("0000:01:00.1", "10de:22bb", kind="0x040300")
    machine.plug("0000:02:00.0", "10de:22a3", kind="0x068000")
    machine.plug("0000:03:00.0", "19e5:d802")
    machine.plug("0000:03:00.1", "19e5:0222", kind="0x020000")
    machine.plug("0000:03:00.2", "19e5:a250")
    machine.plug("0000:04:00.0", "19e5:1711", kind="0x030000")
    machine.plug("0000:05:00.0", "1ded:5007", kind="0x010802")
    machine.plug("0000:06:00.0", "1d94:1452", kind="0x060000")
    machine.plug("0000:00:02.0", "8086:46a6", kind="0x030000")
    machine.plug("0000:07:00.0", "1a03:2000", kind="0x030000")
    assert _stacks_of(machine) == {"nvidia": ["0000:01:00.0"], "ascend": ["0000:03:00.0"]}


def test_the_ids_tell_all_makes_apart(tmp_path: Path) -> None:
    """Those that pretend to be CUDA, those that share a tool's name and those that share /dev/kfd: each its own stack."""
    machine = Machine(root=tmp_path)
    vendors = {stack.pci_vendors[0]: stack for stack in CATALOG.stacks.values() if stack.pci_vendors}
    for number, (vendor, stack) in enumerate(vendors.items()):
        ids = f"{vendor}:{stack.pci_devices[0] if stack.pci_devices else '0001'}"
        machine.plug(f"0000:{number + 16:02x}:00.0", ids, kind=f"0x{stack.pci_classes[0].ljust(6, '0')}")
    found = _stacks_of(machine)
    assert found.keys() == {stack.id for stack in vendors.values()}
    assert all(len(addresses) == 1 for addresses in found.values())
    assert len(found) >= 12
