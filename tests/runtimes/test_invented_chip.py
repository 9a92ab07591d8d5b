"""A chip that nobody has heard of, from TOML files in the home folder to an answer of an engine bound to it."""

import asyncio
import os
from functools import partial
from pathlib import Path

from alliage.app.home import Home
from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog, ModelCard
from alliage.control.observed import EngineState, ReplicaReport
from alliage.decide.bind import bind
from alliage.decide.fit import FitAsk, fit
from alliage.decide.plan import Budget, Plan, plan
from alliage.fleet.ids import ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView
from alliage.runtimes.detection.accelerators import detect_accelerators
from alliage.runtimes.detection.watch import AcceleratorWatch
from tests.builders import a_service
from tests.runtimes.detection import tables
from tests.runtimes.detection.machine import Machine
from tests.runtimes.scene import NODE, agent, card_of, scene, short_home, until

STACK = """
id = "acme"
maker = "acme"
name = "Acme One"
visible_devices = "ACME_VISIBLE_DEVICES"
pci_vendors = ["fade"]
smi = ["acme-smi"]
"""
CHIP = """
id = "acme-one"
maker = "acme"
name = "One"
stack = "acme"
sharing = "whole"
detected_as = ["Acme One.*"]
memory_gb = { value = 128, confidence = "vendor", source = "invented" }
"""
ENGINE = """
id = "llama.cpp"
name = "llama.cpp, built for Acme too"
formats = ["gguf"]
stacks = ["cpu", "acme"]
tasks = ["chat", "embed"]
overhead_bytes = 50_331_648
slots = 4
context_tokens_max = 4096
"""
ASK = FitAsk(
    context_tokens=512,
    concurrency=1,
    input_tokens=64,
    output_tokens=16,
    ttft_s=None,
    tpot_s=None,
    chips=frozenset({"acme-one"}),
)


def own_catalog(root: Path) -> Catalog:
    """With the chip and its stack right in the home folder, and the engine that serves it in its catalogue folder."""
    files = {"chips/acme.toml": CHIP, "stacks/acme.toml": STACK, "catalog/engines/llama.cpp.toml": ENGINE}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_catalog(*Home(root=root).catalogs)


def bound(node: Node, card: ModelCard, catalog: Catalog) -> Replica:
    """What plan and bind make of one service of the model on this node, whose CPU is not there."""
    devices = tuple(device for device in node.devices if device.chip == "acme-one")
    view = FleetView(
        version=1,
        nodes=(Node(id=node.id, site=node.site, phase=node.phase, devices=devices, engines=node.engines),),
        services=(a_service("alpha", card=card),),
    )
    made = plan(view, catalog, now_s=0.0, budget=Budget.unlimited())
    assert isinstance(made, Plan)
    placement = bind(made.add[0], view)
    assert placement is not None
    return Replica(
        id=ReplicaId("alpha-1"), service=made.add[0].service, node=placement.node, recipe=made.add[0].recipe,
        bindings=placement.bindings, phase=ReplicaPhase.BOUND, starts=0, failures=0, retry_s=0.0, note="", created_s=0.0,
    )  # fmt: skip


def environment_of(report: ReplicaReport) -> dict[str, str]:
    """The environment in which an engine runs."""
    lines = Path(f"/proc/{report.pid}/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(line).split("=", 1) for line in lines if line)


def test_it_is_detected_fitted_placed_and_launched_without_a_line_of_code() -> None:
    """Found by PCI and its tool, fitted by its data sheet, given whole to one replica, whose engine sees it and answers."""

    async def play(home: Path) -> None:
        catalog = own_catalog(home)
        machine = Machine(root=home)
        machine.plug("0000:21:00.0", "fade:0001")
        machine.says("acme-smi", tables.GAUDI.replace("HL-325", "Acme One X"))
        look = partial(
            detect_accelerators, catalog.chips, catalog.stacks, node=NODE, pci_root=home / "pci", dev_root=home,
            run=machine.run, libraries=frozenset(),
        )  # fmt: skip
        async with scene(home) as at, agent(at, accelerators=AcceleratorWatch(look), catalog=catalog):
            await until(lambda: len(at.hub.observe()[NODE].node.devices) == 2, 20)
            card = card_of(at.model)
            row = fit(card, ASK, catalog).rows[0]
            assert (row.way.recipe.chip, row.way.recipe.engine, row.way.devices) == ("acme-one", "llama.cpp", 1)
            replica = bound(at.hub.observe()[NODE].node, card, catalog)
            assert [binding.device for binding in replica.bindings] == ["here/acme6"]
            at.start(replica, model=card)
            report = await at.until("alpha-1", EngineState.READY)
            assert environment_of(report)["ACME_VISIBLE_DEVICES"] == "6"

    with short_home() as home:
        asyncio.run(play(home))
