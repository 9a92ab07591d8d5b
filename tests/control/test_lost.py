"""Nodes that nobody reaches are lost and their work is done elsewhere; what a gateway still reaches is left alone."""

from dataclasses import replace

import pytest

from alliage.control.lost import TROUBLE_S, Silence, lost_nodes
from alliage.control.observed import DoorReport, EngineState
from alliage.control.ports import Changes
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.nodes import REHEARSAL, EngineFound
from alliage.fleet.view import FleetView
from tests.builders import a_node, a_replica, a_service
from tests.control.world import World, a_serving_world

A, B, C = NodeId("a"), NodeId("b"), NodeId("c")
R, S = ReplicaId("tiny-000001"), ReplicaId("tiny-000002")


def a_view(*more: str) -> FleetView:
    """A ready replica R on `a` and S on `b`; more nodes without any."""
    replicas = (
        a_replica(R, node="a", phase=ReplicaPhase.READY),
        a_replica(S, node="b", phase=ReplicaPhase.READY),
    )
    return FleetView(version=1, nodes=tuple(a_node(name) for name in ("a", "b", *more)), replicas=replicas)


def a_door(*unreachable: ReplicaId) -> DoorReport:
    """A gateway that cannot reach these."""
    return DoorReport(door="d", table_version=1, in_flight={}, heard_s=0.0, unreachable=frozenset(unreachable))


def lost(view: FleetView, silent: dict[NodeId, float], *doors: DoorReport) -> set[NodeId]:
    """The nodes that are lost when these are silent and the gateways say so."""
    silence = Silence(silent_s=silent, doors=doors, routed={R, S}, unasked_s=30.0)
    return set(lost_nodes(view, silence))


def test_a_node_is_lost_when_its_agent_is_away_and_no_gateway_reaches_it() -> None:
    """Both are needed, and every gateway has to say so."""
    view = a_view()
    assert lost(view, {A: 3.0}, a_door(R), a_door(R)) == {A}
    assert lost(view, {A: 3.0}, a_door(R), a_door()) == set()
    assert lost(view, {A: 600.0}, a_door()) == set()
    assert lost(view, {}, a_door(R)) == set()
    assert lost(view, {A: 1.0}, a_door(R)) == set()


def test_without_a_gateway_nobody_with_ready_replicas_is_lost() -> None:
    """Nobody says that they cannot be reached."""
    assert lost(a_view(), {A: 600.0}) == set()


def test_a_node_with_nothing_to_ask_about_is_lost_after_its_time() -> None:
    """Its silence is all there is; so with a ready replica that no gateway was ever told of."""
    assert lost(a_view("c"), {C: 29.0}, a_door()) == set()
    assert lost(a_view("c"), {C: 31.0}, a_door()) == {C}
    untold = Silence(silent_s={A: 31.0}, doors=(a_door(),), routed={S}, unasked_s=30.0)
    assert set(lost_nodes(a_view(), untold)) == {A}


def test_who_reaches_nothing_at_all_is_not_believed_against_most_of_the_fleet() -> None:
    """A gateway that reaches nobody while most agents are away too: the trouble is ours, for a minute."""
    view = a_view("c")
    everyone = {A: 10.0, B: 10.0}
    assert lost(view, everyone, a_door(R, S)) == set()
    assert lost(view, {A: TROUBLE_S + 1, B: TROUBLE_S + 1}, a_door(R, S)) == {A, B}
    assert lost(a_view("c", "d"), everyone, a_door(R, S)) == {A, B}, "half of the nodes are heard"
    assert lost(a_view("c"), {A: 10.0, C: 10.0}, a_door(R)) == {A}, "the gateway reaches another one"


def test_control_that_hears_nobody_leaves_all_alone() -> None:
    """However long: nothing could be placed anyway."""
    assert lost(a_view(), {A: 1e6, B: 1e6}, a_door(R, S)) == set()


def test_what_is_lost_already_does_not_count() -> None:
    """Neither again, nor among the fleet whose greater part must be heard."""
    gone = tuple(replace(a_node(name), phase=NodePhase.LOST) for name in ("x", "y", "z"))
    view = replace(a_view(), nodes=(*a_view().nodes, *gone))
    silent = {A: 3.0, NodeId("x"): 99.0, NodeId("y"): 99.0, NodeId("z"): 99.0}
    assert lost(view, silent, a_door(R)) == {A}


def serving_on(*names: str) -> tuple[World, ReplicaId, NodeId]:
    """A world that was up for a while; the replica of its service, and the node it is on."""
    world = a_serving_world(*(a_node(name) for name in names))
    world.run(15)
    (replica,) = world.desk.view().replicas
    return world, replica.id, replica.node


def test_a_dead_node_is_replaced_within_five_seconds() -> None:
    """From its death to the commit that has its successor; the reason is told in the decision and the history."""
    world, replica, node = serving_on("a", "b", "c")
    died_s = world.clock.t_s
    world.agents.kill(node)
    while any(each.id == replica for each in world.desk.view().replicas):
        world.loop.pass_once()
        assert world.clock.t_s - died_s <= 5.0
        world.clock.t_s += 0.25

    view = world.desk.view()
    found = view.node(node)
    assert found is not None
    assert found.phase is NodePhase.LOST
    (successor,) = view.replicas
    assert successor.node != node
    stopped = next(each for each in world.desk.decisions("tiny", 9) if each.outcome is Outcome.STOPPED)
    assert stopped.because[0].code is ReasonCode.NODE_LOST
    assert stopped.because[0].facts["gateways"] == 1
    assert world.desk.history(node, 1)[0].what == "is lost"
    world.run(5)
    assert world.doors.upstreams("tiny") == [successor.id]


def test_a_node_that_only_control_has_lost_is_left_alone() -> None:
    """For as long as a gateway reaches its replica: it is in doubt, and still answers."""
    world, replica, node = serving_on("a", "b", "c")
    world.agents.away.add(node)
    world.run(600)

    assert [each.id for each in world.desk.view().replicas] == [replica]
    assert world.doors.table is not None
    (route,) = world.doors.table.routes.values()
    assert [(each.replica, each.is_doubted) for each in route.upstreams] == [(replica, True)]
    world.agents.come_back()
    world.run(2)
    assert world.doors.table is not None
    (route,) = world.doors.table.routes.values()
    assert not route.upstreams[0].is_doubted


def test_a_frozen_machine_whose_line_stays_open_is_replaced() -> None:
    """Nobody closes the line: the last report grows old, and its replicas are in doubt."""
    world, replica, node = serving_on("a", "b", "c")
    frozen = world.agents.observe()[node]
    world.agents.kill(node)
    world.agents.frozen[node] = frozen
    world.run(5)
    assert all(each.id != replica for each in world.desk.view().replicas)


@pytest.mark.parametrize("trouble", ["no gateway", "blind gateway", "control has just started"])
def test_own_trouble_moves_nothing(trouble: str) -> None:
    """Most agents away at once and nobody who could know better: all is left alone."""
    world = World(a_node("a"), a_node("b"), a_node("c"))
    world.run(1)
    world.deploy("tiny", replicas=2)
    world.run(20)
    before = {replica.id for replica in world.desk.view().replicas}
    nodes = sorted({replica.node for replica in world.desk.view().replicas})
    assert len(nodes) == 2
    world.agents.away.update(nodes)
    world.doors.away = trouble == "no gateway"
    world.doors.is_blind = trouble != "no gateway"
    if trouble == "control has just started":
        world.restart_control()
        world.agents.away.add(NodeId("c"))
    world.run(9 if trouble == "control has just started" else 50)
    assert {replica.id for replica in world.desk.view().replicas} == before


def test_a_lost_node_that_comes_back_stops_what_nobody_knows_and_is_ready_then() -> None:
    """It was only cut off: its engine still runs and holds its cores until its agent has ended it."""
    world, replica, node = serving_on("a", "b", "c")
    running = world.agents.engines.pop(node)
    world.agents.away.add(node)
    world.run(6)
    assert all(each.id != replica for each in world.desk.view().replicas)
    world.agents.engines[node] = running
    world.agents.come_back()
    world.loop.pass_once()
    came = world.desk.view().node(node)
    assert came is not None
    assert came.phase is NodePhase.LOST
    world.loop.pass_once()
    came = world.desk.view().node(node)
    assert came is not None
    assert came.phase is NodePhase.READY
    assert running[replica].report.state is EngineState.STOPPED


def test_a_node_that_dies_while_its_replica_starts_is_lost_after_half_a_minute() -> None:
    """Nothing is ready there, so nobody can be asked."""
    world = World(a_node("a"), a_node("b"))
    world.run(20)
    world.agents.load_s = 1e9
    world.deploy("tiny")
    world.run(2)
    (replica,) = world.desk.view().replicas
    world.agents.kill(replica.node)
    world.run(29)
    assert [each.id for each in world.desk.view().replicas] == [replica.id]
    world.run(3)
    (successor,) = world.desk.view().replicas
    assert successor.node != replica.node


def test_rehearsed_nodes_that_no_file_has_any_more_are_dropped() -> None:
    """With their replicas, at once; those of the file and real ones stay, and one whose agent speaks is not dropped."""
    world = World(a_node("real"))
    rehearsed = (EngineFound(engine="llama.cpp", version="1", program=REHEARSAL),)
    old, kept, still = (replace(a_node(name), engines=rehearsed) for name in ("old", "kept", "still"))
    replicas = tuple(a_replica(f"tiny-{name}", node=name, phase=ReplicaPhase.READY) for name in ("old", "kept"))
    world.store.commit(
        0, Changes(nodes=(old, kept, still), services=(a_service("tiny", replicas=2),), replicas=replicas)
    )
    world.agents.nodes[still.id] = still
    world.restart_control(rehearsed=frozenset({kept.id}))
    world.loop.pass_once()

    view = world.desk.view()
    assert [node.id for node in view.nodes] == ["kept", "real", "still"]
    assert "tiny-old" not in [replica.id for replica in view.replicas]
    stopped = next(each for each in world.desk.decisions("tiny", 9) if each.outcome is Outcome.STOPPED)
    assert stopped.because[0].facts == {"node": "old", "retired": 1, "replica": "tiny-old"}
    world.restart_control()
    world.loop.pass_once()
    assert len(world.desk.view().nodes) == 3, "who was not told of a file drops nobody"
