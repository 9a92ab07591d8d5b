"""Examining a machine without a cloud: this one for real, and one with cards that lack their driver and tool."""

from dataclasses import replace
from pathlib import Path

import pytest

from alliage.app.doctor import examine, unserved
from alliage.app.home import Home
from alliage.errors import BadInput
from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Device, EngineFound
from alliage.runtimes.detection.problems import Lack
from alliage.units import GIB
from tests.builders import CATALOG, a_node
from tests.runtimes.detection.machine import Machine


def test_this_machine_has_its_cpu_and_nothing_is_made(tmp_path: Path) -> None:
    """The CPU with its free memory; the home folder need not be there, and is not made."""
    machine = Machine(root=tmp_path)
    home = tmp_path / "no-home"
    found = examine(Home(root=home), pci_root=machine.root / "pci", dev_root=machine.root)
    (cpu,) = found.node.devices
    assert cpu.chip.startswith("cpu-")
    assert 0 < found.free_bytes[cpu.id] <= cpu.memory_bytes
    assert found.problems == ()
    assert not home.exists()


def test_a_card_without_its_driver_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The card is shown, unknown, beside the CPU."""
    machine = Machine(root=tmp_path)
    machine.plug("0000:21:00.0", "1e36:0001", driver="")
    found = examine(Home(root=tmp_path / "home"), pci_root=machine.root / "pci", dev_root=machine.root)
    assert [device.chip for device in found.node.devices[1:]] == ["unknown-enflame"]
    assert [problem.lack for problem in found.problems] == [Lack.DRIVER, Lack.TOOL]
    assert all(problem.fix for problem in found.problems)


def test_wrong_facts_of_ones_own_are_told(tmp_path: Path) -> None:
    """A chip file with a typo is not passed over."""
    folder = tmp_path / "catalog" / "chips"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("id = 7\n")
    with pytest.raises(BadInput, match=r"mine\.toml"):
        examine(Home(root=tmp_path))


def test_a_card_on_which_nothing_serves_is_told() -> None:
    """The bundled llama.cpp is for the CPU: an H100 beside it is idle until an engine of its stack is there."""
    cpu = a_node()
    card = Device(id=DeviceId("laptop/nvidia0"), chip="nvidia-h100-sxm", cores=(), memory_bytes=GIB, facts={})
    node = replace(cpu, devices=(*cpu.devices, card))
    (problem,) = unserved(node, CATALOG)
    assert (problem.stack, problem.lack) == ("nvidia", Lack.ENGINE)
    assert "laptop/nvidia0" in problem.what
    assert "llama.cpp-cuda or" in problem.fix
    for engine in ("vllm", "llama.cpp-cuda"):
        able = (*node.engines, EngineFound(engine=engine, version="1", program="/opt/engine"))
        assert unserved(replace(node, engines=able), CATALOG) == ()
    assert unserved(cpu, CATALOG) == ()
