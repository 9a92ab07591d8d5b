"""A real agent with accelerators: control hears of them, of what is free on them, and when one is gone."""

import asyncio
import threading
from pathlib import Path

from alliage.fleet.ids import DeviceId
from alliage.runtimes.agent import run_agent
from alliage.runtimes.detection.accelerators import Detected
from alliage.runtimes.detection.watch import AcceleratorWatch
from alliage.units import MIB
from tests.runtimes.detection import tables
from tests.runtimes.detection.machine import CATALOG, NODE, Machine
from tests.runtimes.scene import QUICK, FileWeights, Scene, scene, short_home, until

CARD = DeviceId("here/thead3")


async def _run(at: Scene, watch: AcceleratorWatch, stop: asyncio.Event) -> None:
    await run_agent(
        control=at.control,
        home=at.home,
        node=NODE,
        site="site",
        chips=CATALOG.chips.values(),
        weights=FileWeights(),
        settings=QUICK,
        stop=stop,
        accelerators=watch,
    )


def _health(at: Scene) -> str | None:
    report = at.hub.observe().get(NODE)
    found = (device for device in report.node.devices if device.id == CARD) if report is not None else iter(())
    return next((device.facts["health"] for device in found), None)


def test_control_hears_of_cards_and_of_their_end(tmp_path: Path) -> None:
    """The first report has the card and its free memory beside the CPU's; unplugged it is gone, with nothing free."""
    machine = Machine(root=tmp_path)
    machine.plug("0001:0a:00.0", "1ded:1001")
    machine.says("ppu-smi", tables.PPU.replace("                    2 |", "                    0 |"))

    async def play(home: Path) -> None:
        stop = asyncio.Event()
        async with scene(home) as at:
            running = asyncio.create_task(_run(at, AcceleratorWatch(machine.detect, after_s=0.05), stop))
            await at.connected()
            report = at.hub.observe()[NODE]
            assert [device.chip for device in report.node.devices] == ["cpu-x86", "thead-ppu-810e"]
            assert report.free_bytes[CARD] == 8304 * MIB
            assert report.free_bytes[DeviceId("here/cpu0")] > 0
            assert _health(at) == "ok"
            machine.unplug("0001:0a:00.0")
            await until(lambda: _health(at) == "gone", 10, lambda: str(_health(at)))
            assert at.hub.observe()[NODE].free_bytes[CARD] == 0
            stop.set()
            await running

    with short_home() as home:
        asyncio.run(play(home))


def test_a_look_that_fails_or_hangs_costs_no_agent() -> None:
    """After a failing look the agent serves its CPU; and it leaves although a look has not ended."""
    over = threading.Event()
    looks = 0

    def failing() -> Detected:
        nonlocal looks
        looks += 1
        raise RuntimeError("a bug in detection")

    def hanging() -> Detected:
        over.wait(60)
        return Detected()

    async def play(home: Path) -> None:
        stop = asyncio.Event()
        async with scene(home) as at:
            running = asyncio.create_task(_run(at, AcceleratorWatch(failing, after_s=0.05), stop))
            await at.connected()
            await until(lambda: looks > 1, 10)
            stop.set()
            await asyncio.wait_for(running, 10)
            running = asyncio.create_task(_run(at, AcceleratorWatch(hanging), stop))
            await asyncio.wait_for(running, 10)

    with short_home() as home:
        asyncio.run(play(home))
    over.set()
