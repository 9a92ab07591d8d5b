"""A mixed fleet for the faces: the nodes of the four makers and a laptop, with services, and a gateway that counts."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from alliage.control.observed import DoorReport
from alliage.fleet.ids import ServiceName
from alliage.fleet.traffic import Traffic
from alliage.rehearsal.fleet_file import read_fleet
from tests.builders import CATALOG, a_node
from tests.control.world import SimDoors, World, an_order
from tests.faces.served import CatalogueCards

FOUR_MAKERS = Path(__file__).parents[2] / "examples" / "fleets" / "four-makers.toml"


@dataclass(slots=True)
class CountingDoors(SimDoors):
    """One gateway that tells the traffic that a test sets, counted now."""

    traffic: dict[ServiceName, Traffic] = field(default_factory=dict)

    def observe(self) -> tuple[DoorReport, ...]:
        """As SimDoors, with what was counted."""
        return tuple(
            replace(each, counted_s=self.clock.t_s, traffic=dict(self.traffic)) for each in SimDoors.observe(self)
        )

    def add(self, name: str, more: Traffic) -> None:
        """What came since, and what is there now."""
        key = ServiceName(name)
        before = self.traffic.get(key, Traffic())
        sums = {
            each: getattr(before, each) + getattr(more, each)
            for each in Traffic.__dataclass_fields__
            if each not in {"began_s", "held", "in_flight"}
        }
        self.traffic[key] = replace(more, **sums)


def a_mixed_world() -> tuple[World, CountingDoors]:
    """Eight rehearsed nodes and a laptop; `chat` by objective and rate, `small` on the laptop's CPU."""
    nodes = tuple(each.node for each in read_fleet(FOUR_MAKERS, CATALOG))
    world = World(*nodes, a_node())
    doors = CountingDoors(world.clock, world.agents.answers)
    world.doors = doors
    world.restart_control()
    world.desk._models = CatalogueCards()
    world.run(1)
    chat = replace(an_order("qwen3-32b", name="chat", ttft_s=1.0), tpot_s=0.04, max_replicas=None, rate_rps=12.0)
    for order in (chat, an_order("smollm2-135m", name="small")):
        asyncio.run(world.desk.deploy(order))
    world.run(5)
    return world, doors
