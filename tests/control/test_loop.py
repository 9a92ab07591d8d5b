"""The loop over a simulated world: what it reaches, and what it survives."""

import asyncio
from dataclasses import replace

from alliage.control.actions import StopReplica
from alliage.control.observed import EngineState
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.ids import ReplicaId
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from tests.builders import a_node
from tests.control.world import World, a_serving_world


def test_service_becomes_ready_and_routed() -> None:
    """Deploy, a few passes, and the gateway has an upstream; the decision that placed it is stored."""
    world = World(a_node())
    world.run(1)
    assert world.deploy("tiny")
    world.run(5)
    view = world.desk.view()
    assert view.service("tiny").phase is ServicePhase.READY
    assert world.doors.upstreams("tiny") == [view.replicas[0].id]
    assert [decision.outcome for decision in world.desk.decisions("tiny", 10)] == [Outcome.PLACED]


def test_property_6_loop_reaches_a_fixed_point() -> None:
    """When nothing changes, passes change nothing: no commit, no order, no new table."""
    world = World(a_node(), a_node("other"))
    world.run(1)
    world.deploy("tiny", replicas=2)
    world.run(100)
    version, orders, pushes = world.desk.view().version, len(world.agents.orders), world.doors.pushes
    world.run(20)
    assert world.desk.view().version == version
    assert len(world.agents.orders) == orders
    assert world.doors.pushes == pushes


def test_property_9_replica_is_drained_before_it_is_stopped() -> None:
    """A deleted service loses its route at once, but its engine is stopped only when the door is done with it."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    world.doors.in_flight[replica.id] = 2
    asyncio.run(world.desk.delete("tiny"))
    world.run(5)
    assert world.doors.table is not None
    assert "tiny" not in world.doors.table.routes
    assert world.desk.view().replicas[0].phase is ReplicaPhase.DRAINING
    assert not any(isinstance(order, StopReplica) for order in world.agents.orders)
    world.doors.in_flight.clear()
    world.run(3)
    assert world.desk.view().services == ()
    assert world.desk.view().replicas == ()
    assert any(isinstance(order, StopReplica) for order in world.agents.orders)


def test_drain_ends_after_its_time_though_a_stream_never_does() -> None:
    """A request that never ends does not keep a deleted service for ever: 30 s."""
    world = a_serving_world()
    world.doors.in_flight[world.desk.view().replicas[0].id] = 1
    asyncio.run(world.desk.delete("tiny"))
    world.run(25)
    assert world.desk.view().replicas
    world.run(10)
    assert world.desk.view().replicas == ()


def test_engine_that_ends_is_started_again_after_a_growing_wait() -> None:
    """Each end in a row doubles the wait, the reason is stored, the note tells a person why."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    waits = []
    for _ in range(4):
        world.agents.end(replica.id, why="killed by signal 9")
        world.loop.pass_once()
        (now,) = world.desk.view().replicas
        assert now.phase is ReplicaPhase.BACKOFF
        assert now.note == "killed by signal 9"
        assert world.doors.upstreams("tiny") == []
        waits.append(now.retry_s - world.clock.now_s())
        world.run(now.retry_s - world.clock.now_s() + 3)
        assert world.desk.view().replicas[0].phase is ReplicaPhase.READY
    assert waits == [1.0, 2.0, 4.0, 8.0]
    decision = world.desk.decisions("tiny", 1)[0]
    assert decision.outcome is Outcome.RESTARTED
    assert decision.because[0].code is ReasonCode.ENGINE_ENDED


def test_engine_that_was_well_for_a_minute_starts_again_at_once() -> None:
    """Failures are forgotten after a minute of health, so the next end waits one second again."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    world.agents.end(replica.id)
    world.run(70)
    world.agents.end(replica.id)
    world.loop.pass_once()
    assert world.desk.view().replicas[0].retry_s - world.clock.now_s() == 1.0


def test_wall_clock_that_jumps_back_does_not_hold_a_restart_up() -> None:
    """The retry time is kept as wall-clock time, but no wait is longer than its back-off."""
    world = a_serving_world()
    world.agents.end(world.desk.view().replicas[0].id)
    world.loop.pass_once()
    world.clock.wall_shift_s = -3600.0
    world.run(5)
    assert world.desk.view().replicas[0].phase is ReplicaPhase.READY


def test_restart_of_control_changes_nothing() -> None:
    """A new control reads the store and finds everything as it should be: same replica, no order, route kept."""
    world = World(a_node())
    world.run(1)
    world.deploy("tiny")
    world.run(100)
    before = world.desk.view()
    orders = len(world.agents.orders)
    world.restart_control()
    world.run(20)
    assert replace(world.desk.view(), demand=before.demand) == before
    assert len(world.agents.orders) == orders
    assert world.doors.upstreams("tiny") == [before.replicas[0].id]


def test_restart_of_control_while_the_agent_is_away_keeps_the_route() -> None:
    """A fresh control that has heard no agent yet does not take the gateway's routes away."""
    world = a_serving_world()
    upstreams = world.doors.upstreams("tiny")
    world.agents.away.add(a_node().id)
    world.restart_control()
    world.run(5)
    assert world.doors.upstreams("tiny") == upstreams
    world.agents.away.clear()
    world.run(5)
    assert world.doors.upstreams("tiny") == upstreams


def test_absent_agent_makes_the_node_unreachable_and_nothing_moves() -> None:
    """What only control has lost is left alone: no new replica, the route stays; the node is said to be lost."""
    world = a_serving_world(a_node(), a_node("other"))
    (replica,) = world.desk.view().replicas
    world.agents.away.add(replica.node)
    world.run(60)
    view = world.desk.view()
    assert view.replicas == (replica,)
    assert {node.id: node.phase for node in view.nodes}[replica.node] is NodePhase.UNREACHABLE
    assert world.doors.upstreams("tiny") == [replica.id]
    world.agents.away.clear()
    world.run(2)
    assert all(node.phase is NodePhase.READY for node in world.desk.view().nodes)


def test_agent_that_lost_its_engines_starts_them_again() -> None:
    """An agent that comes back with nothing running gets the order again, and the dead endpoint is not routed to."""
    world = a_serving_world()
    world.agents.engines.clear()
    world.loop.pass_once()
    assert world.doors.upstreams("tiny") == []
    world.run(4)
    assert world.desk.view().service("tiny").phase is ServicePhase.READY


def test_engine_nobody_wants_is_stopped() -> None:
    """An agent that reports a replica which the store does not know is told to stop it."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    stranger = replace(world.agents.engines[replica.node][replica.id].report, replica=ReplicaId("stranger-1"))
    engine = world.agents.engines[replica.node][replica.id]
    world.agents.engines[replica.node][stranger.replica] = type(engine)(stranger, 0.0)
    world.run(1)
    engines = world.agents.engines[replica.node]
    assert engines[stranger.replica].report.state is EngineState.STOPPED
    assert engines[replica.id].report.state is EngineState.READY
    world.run(12)
    assert stranger.replica not in world.agents.engines[replica.node]


def test_replica_whose_cores_are_gone_moves_to_others() -> None:
    """The machine was given other cores (a resized container): the replica is drained and placed anew."""
    world = World(a_node(cores=2))
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    (old,) = world.desk.view().replicas
    node = world.agents.nodes[old.node]
    device = replace(node.devices[0], cores=(6, 7))
    world.agents.nodes[old.node] = replace(node, devices=(device,))
    world.run(10)
    (new,) = world.desk.view().replicas
    assert new.id != old.id
    assert set(new.bindings[0].cores) <= {6, 7}
    assert world.doors.upstreams("tiny") == [new.id]


def test_service_on_a_lost_node_can_be_deleted() -> None:
    """Its agent never comes back: the rows go, nothing waits for ever."""
    world = a_serving_world(a_node(), a_node("other"))
    (replica,) = world.desk.view().replicas
    world.agents.away.add(replica.node)
    world.run(10)
    asyncio.run(world.desk.delete("tiny"))
    world.run(40)
    assert world.desk.view().services == ()
    world.agents.away.clear()
    world.run(2)
    assert world.agents.engines[replica.node][replica.id].report.state is EngineState.STOPPED


def test_control_that_restarts_during_a_drain_waits_for_the_gateway() -> None:
    """The agent dials the new control before the gateway does: the stream in flight is not cut."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    world.doors.in_flight[replica.id] = 1
    asyncio.run(world.desk.delete("tiny"))
    world.run(1)
    world.doors.away = True
    world.restart_control()
    world.run(5)
    assert world.agents.cut == []
    world.doors.come_back()
    world.run(5)
    assert world.agents.cut == []
    world.doors.in_flight.clear()
    world.run(5)
    assert world.desk.view().services == ()


def test_orders_on_their_way_never_put_two_engines_on_a_core() -> None:
    """Deployed, deleted and deployed again while the agent's reports are late: the cores are free when it says so."""
    world = World(a_node())
    world.run(1)
    world.agents.stale = True
    world.deploy("one")
    world.run(0.5, step_s=0.1)
    asyncio.run(world.desk.delete("one"))
    world.run(0.5, step_s=0.1)
    assert [replica.service for replica in world.desk.view().replicas] == ["one"]
    world.agents.stale = False
    world.run(5)
    assert world.deploy("two")


def test_partly_placed_service_tells_its_refusal_once() -> None:
    """Two replicas asked, room for one: served by one, and the no is recorded once, not at every pass."""
    world = World(a_node(cores=1))
    world.run(1)
    world.deploy("tiny", replicas=2)
    world.run(30)
    outcomes = [decision.outcome for decision in world.desk.decisions("tiny", 500)]
    assert outcomes.count(Outcome.PLACED) == 0 or outcomes.count(Outcome.REFUSED) <= 2


def test_ill_engine_gets_no_new_requests_until_it_is_well() -> None:
    """A hung engine leaves the routing table and comes back when it answers again."""
    world = a_serving_world()
    (replica,) = world.desk.view().replicas
    engine = world.agents.engines[replica.node][replica.id]
    engine.report = replace(engine.report, state=EngineState.ILL)
    world.run(1)
    assert world.doors.upstreams("tiny") == []
    engine.report = replace(engine.report, state=EngineState.READY)
    world.run(1)
    assert world.doors.upstreams("tiny") == [replica.id]
