"""A node dies: what stood on it is elsewhere within seconds, whatever stood there and whenever it was."""

import dataclasses

import pytest

from alliage.control.loop import LoopSettings
from alliage.control.ports import Changes
from alliage.decide.reasons import Outcome
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from tests.builders import a_node
from tests.control.world import World

TICK_S = LoopSettings().tick_s


def freeze(world: World, name: NodeId) -> None:
    """The machine is gone, but nobody closed its line."""
    report = world.agents.observe().get(name)
    world.agents.kill(name)
    if report is not None:
        world.agents.frozen[name] = report


def close(world: World, name: NodeId, **taken: object) -> None:
    """An admin takes a node or its devices out, or lets them in again."""
    view = world.store.snapshot()
    node = view.node(name)
    if node is not None:
        changed = dataclasses.replace(node, **taken)  # type: ignore[arg-type]
        world.store.commit(view.version, Changes(nodes=(changed,)))


def a_busy_world(seed: int) -> World:
    """Some nodes that have served some services for a while, one of them perhaps cordoned."""
    world = World(seed=seed)
    for name in range(world.random.randint(3, 6)):
        node = a_node(f"n{name}", cores=world.random.randint(2, 4))
        world.agents.nodes[node.id] = node
    world.run(1)
    for number in range(world.random.randint(1, 4)):
        world.deploy(f"m{number}", replicas=world.random.randint(1, 3))
    world.run(world.random.uniform(12, 20))
    close(world, world.random.choice(sorted(world.agents.nodes)), is_cordoned=world.random.random() < 0.5)
    return world


def replaced_after_s(world: World) -> float:
    """One node with ready replicas dies between two passes; how long until nothing is bound to it and all that fits is elsewhere.

    Passes are a tick apart, or at once when the gateway has something new to say.
    """
    victim = world.random.choice(sorted({replica.node for replica in world.desk.view().replicas}))
    world.loop.pass_once()
    passed_s = world.clock.t_s
    world.clock.t_s += world.random.uniform(0.0, TICK_S)
    die = freeze if world.random.random() < 0.5 else lambda world, name: world.agents.kill(name)
    die(world, victim)
    died_s = world.clock.t_s
    told = frozenset[ReplicaId]()
    while any(replica.node == victim for replica in world.desk.view().replicas):
        world.clock.t_s += 0.05
        (door,) = world.doors.observe()
        if door.unreachable != told or world.clock.t_s - passed_s >= TICK_S:
            world.loop.pass_once()
            told, passed_s = door.unreachable, world.clock.t_s
        assert world.clock.t_s - died_s < 60.0
    for service in world.desk.view().services:
        bound = len(world.desk.view().replicas_of(service.name))
        lately = [decision.outcome for decision in world.store.decisions(service.name, 6)]
        making_way = any(replica.phase is ReplicaPhase.DRAINING for replica in world.desk.view().replicas)
        assert bound == service.min_replicas or making_way or {Outcome.REFUSED, Outcome.SHORT} & set(lately)
    return passed_s - died_s


@pytest.mark.parametrize("seed", range(60))
def test_a_dead_node_is_replaced_within_five_seconds(seed: int) -> None:
    """From death to the commit without it, whether its line was closed or not: passes are at most a tick apart."""
    assert replaced_after_s(a_busy_world(seed)) <= 5.0
