"""Seeded fault simulation: thousands of steps of the real loop and store; safety properties checked at each."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from alliage.control.loop import LoopSettings
from alliage.control.observed import EngineState
from alliage.errors import AlliageError
from alliage.fleet.ids import ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.view import FleetView
from tests.builders import a_node
from tests.control.world import World

STEPS = 400


def check_safety(view: FleetView) -> None:
    """Properties 1 and 3: no core twice, no byte too many, every footprint within its binding. No shared code."""
    for node in view.nodes:
        for device in node.devices:
            held = [
                (binding, replica)
                for replica in view.replicas
                for binding in replica.bindings
                if binding.device == device.id
            ]
            cores = [core for binding, _ in held for core in binding.cores]
            assert sorted(set(cores)) == sorted(cores)
            assert set(cores) <= set(device.cores)
            assert sum(binding.memory_bytes for binding, _ in held) <= device.memory_bytes
            for binding, replica in held:
                assert binding.memory_bytes >= replica.recipe.memory_bytes


def disturb(world: World) -> None:
    """One random thing happens."""
    name = f"m{world.random.randrange(4)}"
    node = world.random.choice(list(world.agents.nodes))
    replicas = world.desk.view().replicas
    replica = world.random.choice(replicas).id if replicas else ReplicaId("none")
    count = world.random.randint(1, 3)
    faults: dict[str, Callable[[], object]] = {
        "deploy": lambda: world.deploy(name, replicas=count),
        "delete": lambda: asyncio.run(world.desk.delete(name)),
        "an engine ends": lambda: world.agents.end(replica),
        "an agent goes": lambda: world.agents.away.add(node),
        "agents come back": world.agents.away.clear,
        "control restarts": world.restart_control,
        "a node loses its engines": lambda: world.agents.engines.pop(node, None),
        "a replica is busy": lambda: world.doors.in_flight.update({replica: 1}),
        "all replicas are quiet": world.doors.in_flight.clear,
        "the gateway is away": lambda: setattr(world.doors, "away", True),
        "the gateway is back": world.doors.come_back,
        "reports are late": lambda: setattr(world.agents, "stale", True),
        "reports are here": lambda: setattr(world.agents, "stale", False),
        "the wall clock jumps": lambda: setattr(world.clock, "wall_shift_s", world.random.uniform(-1e4, 1e4)),
        "an engine falls ill": lambda: world.agents.fall_ill(replica),
        "nothing": lambda: None,
    }
    with contextlib.suppress(AlliageError):
        faults[world.random.choice(sorted(faults))]()


@pytest.mark.parametrize("seed", range(24))
def test_safety_holds_at_every_step_and_peace_brings_the_fixed_point(seed: int) -> None:
    """Whatever happens, in whatever order; then with all agents back everything asked for runs, nothing else does."""
    world = World(a_node("one", cores=4), a_node("two", cores=3), seed=seed)
    world.run(1)
    for _ in range(STEPS):
        disturb(world)
        cut = len(world.agents.cut)
        before = world.desk.view()
        world.loop.pass_once()
        world.clock.t_s += world.random.choice((0.1, 0.5, 2.0))
        check_safety(world.desk.view())
        check_drained(world, before, cut)
        check_cores(world)
    world.agents.away.clear()
    world.agents.stale = False
    world.agents.heal()
    world.doors.come_back()
    world.doors.in_flight.clear()
    world.run(200)
    view = world.desk.view()
    settled = view.version
    running = {
        replica
        for engines in world.agents.engines.values()
        for replica, engine in engines.items()
        if engine.report.state is not EngineState.STOPPED
    }
    assert running == {replica.id for replica in view.replicas}
    assert all(replica.phase is ReplicaPhase.READY for replica in view.replicas)
    assert all(service.phase in (ServicePhase.READY, ServicePhase.UNSERVED) for service in view.services)
    assert sorted(world.doors.upstreams_of_all()) == sorted(running)
    decided = sum(len(world.store.decisions(service.name, 500)) for service in view.services)
    world.run(20)
    assert world.desk.view().version == settled
    assert sum(len(world.store.decisions(service.name, 500)) for service in view.services) == decided


def check_drained(world: World, before: FleetView, cut: int) -> None:
    """Property 9: an engine that can answer is stopped only when its replica was leaving and nothing is in flight.

    Only a drain that took all its time may cut what is still in flight.
    """
    was = {replica.id: replica.phase for replica in before.replicas}
    for replica in world.agents.cut[cut:]:
        if replica not in was:
            continue  # nobody wanted it and the store did not know it
        assert was[replica] in (ReplicaPhase.DRAINING, ReplicaPhase.STOPPING)
        if was[replica] is ReplicaPhase.DRAINING:
            overdue = world.draining_s(replica) >= LoopSettings().drain_s
            assert overdue or not world.doors.in_flight.get(replica)
            assert overdue or replica not in world.doors.upstreams_of_all()


def check_cores(world: World) -> None:
    """Property 1 outside the store: engines that run never share a core, whatever orders are on their way."""
    for node, engines in world.agents.engines.items():
        cores = [
            core
            for engine in engines.values()
            if engine.report.state in (EngineState.STARTING, EngineState.READY, EngineState.ILL)
            for core in engine.cores
        ]
        assert len(cores) == len(set(cores)), (node, cores)
