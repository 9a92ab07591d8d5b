"""Where a service may live is an admin's last word: what stands elsewhere leaves before there is another one."""

import asyncio
from dataclasses import replace

from alliage.fleet.lifecycles import LEAVING
from tests.builders import a_node
from tests.control.world import World, an_order


def test_what_may_not_stay_leaves_at_once_and_is_asked_no_more() -> None:
    """In the very next pass no route leads there; its successor stands where it may, and the old engine is drained first."""
    here, there = replace(a_node("one"), site="graz"), replace(a_node("two"), site="hohhot")
    world = World(here, there)
    world.run(1)
    world.deploy("tiny")
    world.run(15)
    (old,) = world.desk.view().replicas
    world.doors.in_flight = {old.id: 1}
    elsewhere = "hohhot" if old.node == "one" else "graz"
    asyncio.run(world.desk.deploy(replace(an_order("tiny"), residency=(elsewhere,))))
    world.loop.pass_once()
    assert old.id not in world.doors.upstreams("tiny")
    assert next(each for each in world.desk.view().replicas if each.id == old.id).phase in LEAVING
    assert old.id not in world.agents.cut
    world.doors.in_flight.clear()
    world.run(20)
    (new,) = world.desk.view().replicas
    assert {node.id: node.site for node in world.desk.view().nodes}[new.node] == elsewhere
    assert world.doors.upstreams("tiny") == [new.id]


def test_what_may_stay_stays() -> None:
    """A residency that its place keeps moves nothing."""
    world = World(replace(a_node("one"), site="graz", region="eu"), replace(a_node("two"), site="graz", region="eu"))
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    (old,) = world.desk.view().replicas
    asyncio.run(world.desk.deploy(replace(an_order("tiny"), residency=("eu",))))
    world.run(20)
    assert [each.id for each in world.desk.view().replicas] == [old.id]
