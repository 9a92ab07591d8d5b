"""A recipe that fails again and again is given up where it failed, another is tried, and both are told."""

import asyncio

from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase, ServicePhase
from alliage.fleet.measured import recipe_key
from alliage.fleet.replicas import Replica
from tests.builders import a_node
from tests.control.world import World, a_serving_world


def alive(world: World) -> list[Replica]:
    """Replicas that are wanted."""
    return [replica for replica in world.desk.view().replicas if replica.phase not in LEAVING]


def break_engines_on(world: World, node: str, seconds: float) -> None:
    """Whatever starts there ends at once."""
    for _ in range(round(seconds / 0.5)):
        for replica in alive(world):
            if replica.node == node:
                world.agents.end(replica.id, "the driver is broken")
        world.run(0.5)


def test_the_next_way_is_tried_and_the_record_says_so() -> None:
    """Two nodes: after three failures on one it runs on the other, and the first is marked for that recipe."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (first,) = alive(world)
    break_engines_on(world, first.node, 20)
    world.run(10)
    (now,) = alive(world)
    assert now.node != first.node
    assert now.phase is ReplicaPhase.READY
    (mark,) = world.desk.view().failed
    assert (mark.node, mark.recipe, mark.why) == (first.node, recipe_key(first.recipe), "the driver is broken")
    given_up = next(each for each in world.desk.decisions("tiny", 50) if each.outcome is Outcome.GIVEN_UP)
    assert given_up.because[0].code is ReasonCode.RECIPE_FAILED
    newest = next(each for each in world.desk.decisions("tiny", 50) if each.outcome is Outcome.PLACED)
    assert ReasonCode.RECIPE_FAILED in {each.reason.code for each in newest.rejected}


def test_what_is_marked_is_left_alone_until_somebody_asks() -> None:
    """The other node goes: nothing is placed on the marked one. Asked for again, it is tried there once more."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (first,) = alive(world)
    break_engines_on(world, first.node, 20)
    (now,) = alive(world)
    world.agents.kill(now.node)
    world.run(60)
    assert [each for each in alive(world) if each.node == first.node] == []
    assert world.desk.view().service("tiny").phase is ServicePhase.UNSERVED
    assert world.deploy("tiny")
    world.run(10)
    assert [each.node for each in alive(world)] == [first.node]
    assert world.desk.view().failed == ()


def test_the_only_way_is_never_given_up() -> None:
    """One node: its engine is started on and on, and serves when the trouble is over."""
    world = a_serving_world(a_node("a"))
    break_engines_on(world, "a", 60)
    assert world.desk.view().failed == ()
    world.run(70)
    (replica,) = alive(world)
    assert replica.phase is ReplicaPhase.READY


def test_what_failed_is_forgotten_with_its_node_and_with_the_last_service_of_its_model() -> None:
    """A mark stands until its service is deleted, and another one until its node is forgotten."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (first,) = alive(world)
    break_engines_on(world, first.node, 20)
    world.run(10)
    assert [mark.node for mark in world.desk.view().failed] == [first.node]
    world.agents.kill(first.node)
    world.run(60)
    world.desk.forget_node(first.node, dry_run=False)
    world.run(5)
    assert world.desk.view().failed == ()

    world = a_serving_world(a_node("a"), a_node("b"))
    (first,) = alive(world)
    break_engines_on(world, first.node, 20)
    asyncio.run(world.desk.delete("tiny"))
    world.run(60)
    assert world.desk.view().services == ()
    assert world.desk.view().failed == ()
