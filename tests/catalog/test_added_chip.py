"""A chip that nobody has heard of, with a stack of its own: TOML in $ALLIAGE_HOME/catalog is all that it takes."""

from dataclasses import replace
from pathlib import Path

from alliage.app.home import Home
from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog, Sharing
from alliage.decide.plan import Budget, Plan, plan
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Device
from alliage.fleet.view import FleetView
from alliage.units import GIB
from tests.builders import CATALOG, a_card, a_node, a_service
from tests.catalog.files import put

STACK = """
id = "lumen"
maker = "lumen"
name = "Lumen SDK"
torch_device = "lumen"
visible_devices = "LUMEN_VISIBLE_DEVICES"
container = "in-image"
pci_vendors = ["fade"]
device_files = ["/dev/lumen{N}"]
smi = ["lumen-smi"]
sources = ["an invented stack"]
"""
CHIP = """
id = "lumen-l1"
maker = "lumen"
name = "Lumen L1"
stack = "lumen"
sharing = "whole"
detected_as = ['Lumen ?L1']
memory_gb = { value = 32, confidence = "vendor", source = "invented" }
bandwidth_gbs = { confidence = "unknown" }
[tflops]
bf16 = { value = 100, confidence = "vendor", source = "invented" }
"""
ENGINE = """
id = "lumen.cpp"
name = "llama.cpp for Lumen"
formats = ["gguf"]
stacks = ["lumen"]
tasks = ["chat"]
overhead_bytes = 50_331_648
slots = 4
context_tokens_max = 4096
"""


def own_catalog(root: Path) -> Catalog:
    """The catalogue of a home folder to which the invented chip, its stack and an engine were added."""
    home = Home(root=root)
    for kind, text in (("stacks", STACK), ("chips", CHIP), ("engines", ENGINE)):
        put(home.catalog, kind, text, "lumen.toml")
    return load_catalog(home.catalog)


def test_it_is_loaded_beside_the_others(tmp_path: Path) -> None:
    """What was there stays; the new ones have what their files say, the rest unknown."""
    catalog = own_catalog(tmp_path)
    assert set(catalog.chips) == {*CATALOG.chips, "lumen-l1"}
    chip = catalog.chips["lumen-l1"]
    assert (chip.sharing, chip.memory_gb.value, chip.bandwidth_gbs.value, chip.tdp_w.value) == (
        Sharing.WHOLE,
        32,
        None,
        None,
    )
    assert catalog.stacks[chip.stack].visible_devices == "LUMEN_VISIBLE_DEVICES"


def test_it_is_fitted_and_placed(tmp_path: Path) -> None:
    """On a node with one such device, `plan` takes the engine that serves its stack; too large a model is refused."""
    device = Device(id=DeviceId("box/lumen0"), chip="lumen-l1", cores=(), memory_bytes=32 * GIB, facts={})
    node = replace(a_node("box", engines=("lumen.cpp",)), devices=(device,))
    small, huge = a_service("small"), a_service("huge", card=a_card("huge", weight_bytes=64 * GIB))
    view = FleetView(version=1, nodes=(node,), services=(small, huge))
    made = plan(view, own_catalog(tmp_path), now_s=0.0, budget=Budget.unlimited())
    assert isinstance(made, Plan)
    (placed,) = made.add
    assert (placed.service, placed.recipe.chip, placed.recipe.engine) == ("small", "lumen-l1", "lumen.cpp")
    refused = next(each for each in made.decisions if each.outcome is Outcome.REFUSED)
    assert ReasonCode.DEVICES_SHORT in {each.reason.code for each in refused.rejected}
