"""The fleet of the simulation: four makes and a CPU at three sites, mixed in one node too; and the models that are asked for."""

import tempfile
from dataclasses import replace
from pathlib import Path

from alliage.catalog.records import Chip, ModelCard
from alliage.control.actions import StartReplica
from alliage.errors import NotFound
from alliage.fleet.nodes import REHEARSAL, EngineFound, Node
from alliage.rehearsal.fleet_file import RehearsedNode, read_fleet
from alliage.rehearsal.pacing import Unpaced, pace_of_recipe, pace_of_replica
from alliage.speed.pace import Pace
from tests.builders import CATALOG, a_card, a_node, a_recipe

FLEET = """
[[sites]]
name = "hohhot"
region = "cn"
tags = ["state"]

[[sites]]
name = "graz"
region = "eu"

[[sites]]
name = "lagos"
region = "af"

[[nodes]]
name = "h20"
site = "hohhot"
count = 2
devices = [{ chip = "nvidia-h20", count = 2 }]

[[nodes]]
name = "ascend"
site = "hohhot"
devices = [{ chip = "huawei-910b", count = 4 }]

[[nodes]]
name = "ppu"
site = "graz"
count = 2
devices = [{ chip = "thead-ppu-810e", count = 2 }]

[[nodes]]
name = "metax"
site = "graz"
devices = [{ chip = "metax-c500", count = 2, like = "nvidia-a800-sxm-80gb" }]

[[nodes]]
name = "mixed"
site = "lagos"
devices = [{ chip = "nvidia-h20", count = 1 }, { chip = "thead-ppu-810e", count = 2, speed = 0.5 }]
"""
CHIPS = ("nvidia-h20", "huawei-910b", "thead-ppu-810e", "metax-c500")
PLACES = ("hohhot", "graz", "lagos", "cn", "eu", "state")
_CARD = CATALOG.models["qwen3-0.6b"]
_RECIPE = replace(
    a_recipe(_CARD.id), chip="nvidia-h20", engine="vllm", precision=_CARD.precision, cores=0, concurrency=16
)
_PACE = pace_of_recipe(_RECIPE, _CARD, CATALOG.chips["nvidia-h20"])
MODELS = ("tiny", "qwen3-0.6b", "qwen3-8b", "qwen3-32b", "qwen2.5-72b")
"""A small one for CPUs, and some that take a device, part of one node, or several devices together."""


def the_nodes() -> tuple[RehearsedNode, ...]:
    """All of them."""
    with tempfile.TemporaryDirectory(prefix="alliage-simulation-") as folder:
        file = Path(folder) / "fleet.toml"
        file.write_text(FLEET)
        return (*read_fleet(file, CATALOG), *(_cpu_node(name, cores) for name, cores in (("cpu-1", 3), ("cpu-2", 4))))


def _cpu_node(name: str, cores: int) -> RehearsedNode:
    """A machine without cards: its device is shared by cores."""
    node: Node = replace(a_node(name, cores=cores), site="lagos", region="af")
    node = replace(node, engines=(EngineFound(engine="llama.cpp", version="1", program=REHEARSAL),))
    return RehearsedNode(node=node, speeds={"cpu-x86": 1.0}, likes={"cpu-x86": CATALOG.chips["cpu-x86"]})


def paced(order: StartReplica, like: Chip) -> Pace | Unpaced:
    """By the data sheet; what has none, such as a CPU, keeps a pace of its own: how fast it is does not matter here."""
    found = pace_of_replica(order, like)
    return _PACE if isinstance(found, Unpaced) else found


class Cards:
    """Implements Models: the catalogue's cards, and a small one of files that llama.cpp reads."""

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:
        """The card; raises NotFound."""
        if reference == "tiny":
            return a_card("tiny")
        if reference not in CATALOG.models:
            raise NotFound(f"there is no model {reference!r}", remedy=f"models: {', '.join(MODELS)}")
        return CATALOG.models[reference]
