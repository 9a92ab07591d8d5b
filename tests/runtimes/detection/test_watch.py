"""Looking again and again: not too often, with cards that vanish and come back, and tools that stop answering."""

import asyncio
import threading
from pathlib import Path

import pytest

from alliage.runtimes.detection.accelerators import Detected
from alliage.runtimes.detection.running import End
from alliage.runtimes.detection.watch import AcceleratorWatch
from alliage.units import MIB
from tests.runtimes.detection import tables
from tests.runtimes.detection.machine import Machine

ONE = tables.CAMBRICON.splitlines()[:8]


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _two_cards(tmp_path: Path) -> tuple[Machine, AcceleratorWatch, _Clock]:
    machine = Machine(root=tmp_path)
    machine.plug("0000:39:00.0", "cabc:0370")
    machine.plug("0000:3d:00.0", "cabc:0370")
    machine.file("/dev/cambricon_dev0", "/dev/cambricon_dev1")
    machine.says("cnmon", tables.CAMBRICON)
    clock = _Clock()
    return machine, AcceleratorWatch(machine.detect, after_s=10, monotonic_s=clock), clock


def _health(watch: AcceleratorWatch) -> dict[str, str]:
    return {device.id: device.facts["health"] for device in watch.devices}


def test_a_tool_is_not_run_more_often_than_every_ten_seconds(tmp_path: Path) -> None:
    """However often it is looked; the figures of the last look stay."""
    machine, watch, clock = _two_cards(tmp_path)
    assert watch.look()
    for clock.now_s in (0.1, 5.0, 9.9):
        assert not watch.look()
    assert machine.asked == ["cnmon"]
    assert watch.free_bytes == {"here/cambricon0": (23374 - 24) * MIB}
    clock.now_s = 10.0
    machine.says("cnmon", tables.CAMBRICON.replace("24 MiB/", "1374 MiB/"))
    assert not watch.look(), "free memory moves; the devices are the same"
    assert machine.asked == ["cnmon", "cnmon"]
    assert watch.free_bytes == {"here/cambricon0": 22000 * MIB}


def test_what_takes_long_is_done_less_often() -> None:
    """A look of a second is followed by one ten seconds later, so that it costs no tenth of the time; a quick one by one after 4 s."""
    clock, took_s = _Clock(), 1.0

    def detect() -> Detected:
        clock.now_s += took_s
        return Detected()

    watch = AcceleratorWatch(detect, monotonic_s=clock)
    watch.look()
    assert watch.wait_s == 10.0
    took_s, clock.now_s = 0.3, 20.0
    watch.look()
    assert watch.wait_s + took_s < 5.0


def test_what_always_moves_is_no_change(tmp_path: Path) -> None:
    """Temperature, power and utilisation are not among the facts; health is, and its change is one."""
    machine, watch, clock = _two_cards(tmp_path)
    watch.look()
    assert not {"temperature", "power", "utilisation"} & watch.devices[0].facts.keys()
    clock.now_s = 10
    machine.says("cnmon", tables.CAMBRICON.replace("32C", "80C").replace("106 W/", "240 W/").replace("3%", "99%"))
    assert not watch.look()


def test_a_card_that_vanishes_is_gone_and_may_come_back(tmp_path: Path) -> None:
    """It stays a device, says so, and nothing is free on it; the others are as before."""
    machine, watch, clock = _two_cards(tmp_path)
    watch.look()
    machine.unplug("0000:3d:00.0")
    machine.says("cnmon", "\n".join(ONE))
    clock.now_s = 10
    assert watch.look()
    assert _health(watch) == {"here/cambricon0": "ok", "here/cambricon1": "gone"}
    assert watch.free_bytes["here/cambricon1"] == 0  # type: ignore[index]
    assert watch.devices[1].chip == "cambricon-mlu370-x8"
    clock.now_s = 20
    assert not watch.look(), "still gone is no news"
    machine.plug("0000:3d:00.0", "cabc:0370")
    machine.says("cnmon", tables.CAMBRICON)
    clock.now_s = 30
    assert watch.look()
    assert _health(watch) == {"here/cambricon0": "ok", "here/cambricon1": "ok"}
    assert "here/cambricon1" not in watch.free_bytes, "this die does not tell its memory"


def test_all_cards_vanish(tmp_path: Path) -> None:
    """The last one too: nothing is asked any more, and all are gone."""
    machine, watch, clock = _two_cards(tmp_path)
    watch.look()
    machine.unplug("0000:39:00.0")
    machine.unplug("0000:3d:00.0")
    clock.now_s = 10
    assert watch.look()
    assert set(_health(watch).values()) == {"gone"}
    assert machine.asked == ["cnmon"]


def test_a_tool_that_stops_answering_takes_no_card_away(tmp_path: Path) -> None:
    """PCI still shows them: they keep their chips, are not answering, and get nothing new."""
    machine, watch, clock = _two_cards(tmp_path)
    watch.look()
    machine.says("cnmon", "", end=End.HUNG, why="cnmon did not answer within 10 s and was ended")
    clock.now_s = 10
    assert watch.look()
    assert [device.chip for device in watch.devices] == ["cambricon-mlu370-x8"] * 2
    assert set(_health(watch).values()) == {"not answering"}
    assert set(watch.free_bytes.values()) == {0}


def test_a_tool_that_is_installed_later_gives_the_cards_their_names(tmp_path: Path) -> None:
    """What PCI alone showed is replaced, not kept as gone."""
    machine, watch, clock = _two_cards(tmp_path)
    del machine.answers["cnmon"]
    watch.look()
    assert [device.chip for device in watch.devices] == ["unknown-cambricon"] * 2
    machine.says("cnmon", tables.CAMBRICON.replace("| 1     /", "| 6     /"))
    clock.now_s = 10
    assert watch.look()
    assert _health(watch) == {"here/cambricon0": "ok", "here/cambricon6": "ok"}


async def _aside(watch: AcceleratorWatch) -> bool:
    return await asyncio.wait_for(watch.look_aside(), 10)


def test_looking_aside_answers_raises_and_can_be_left() -> None:
    """The answer and an error come back; a look that hangs can be cancelled, and ends by itself later."""
    assert asyncio.run(_aside(AcceleratorWatch(Detected))) is False

    def broken() -> Detected:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(_aside(AcceleratorWatch(broken)))

    over = threading.Event()

    def hanging() -> Detected:
        over.wait(30)
        return Detected()

    async def leave() -> None:
        looking = asyncio.ensure_future(_aside(AcceleratorWatch(hanging)))
        await asyncio.sleep(0)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    asyncio.run(leave())
    over.set()
    for thread in threading.enumerate():
        if thread.name == "accelerators":
            thread.join(10)
