"""What an admin empties is replaced first; it leaves when its successor is ready, and stays where there is none."""

from dataclasses import replace

from alliage.control.draining import as_leaving, movers, with_movers
from alliage.control.ports import Changes
from alliage.decide.aiming.aims import aim
from alliage.decide.aiming.outlook import outlook
from alliage.decide.price.listed import listed_prices
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.decide.reckoning import Reckoner
from alliage.decide.solve.answer import Budget
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase, ServicePhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView
from tests.builders import CATALOG, a_node, a_replica, a_service
from tests.control.world import World, a_serving_world

READY, STARTING = ReplicaPhase.READY, ReplicaPhase.STARTING


def emptied(node: Node) -> Node:
    """It drains."""
    return replace(node, is_cordoned=True, is_draining=True)


def a_view(*replicas: Replica, wanted: int = 1, phase: ServicePhase = ServicePhase.READY) -> FleetView:
    """Node `a` drains, `b` does not."""
    service = a_service("tiny", replicas=wanted, phase=phase)
    return FleetView(version=1, nodes=(emptied(a_node("a")), a_node("b")), services=(service,), replicas=replicas)


def left(view: FleetView) -> list[ReplicaId]:
    """The replicas that begin to leave."""
    shown = as_leaving(view)
    aims = aim(outlook(shown, listed_prices(CATALOG, {}), Reckoner(CATALOG), {}), None, Budget())
    after = with_movers(shown, view, aims)
    return [each.id for each in after.replicas if each.phase in LEAVING]


def test_movers_are_those_on_what_is_emptied() -> None:
    """On a draining node, and on a device that is emptied; not on one that is only cordoned, nor when leaving already."""
    cpu = DeviceId("b/cpu0")
    here, there = a_replica("tiny-1", node="a"), a_replica("tiny-2", node="b")
    going = a_replica("tiny-3", node="a", phase=ReplicaPhase.STOPPING)
    view = a_view(here, there, going)
    assert [each.id for each in movers(view)] == ["tiny-1"]
    closed = replace(a_node("b"), is_cordoned=True, cordoned=(cpu,))
    assert [each.id for each in movers(replace(view, nodes=(a_node("a"), closed)))] == []
    emptying = replace(a_node("b"), cordoned=(cpu,), draining=(cpu,))
    assert [each.id for each in movers(replace(view, nodes=(a_node("a"), emptying)))] == ["tiny-2"]


def test_one_stays_until_its_successor_is_ready() -> None:
    """A successor that starts is not enough."""
    old = a_replica("tiny-1", node="a", phase=READY)
    assert left(a_view(old)) == []
    assert left(a_view(old, a_replica("tiny-2", node="b", phase=STARTING))) == []
    assert left(a_view(old, a_replica("tiny-2", node="b", phase=READY))) == ["tiny-1"]


def test_as_many_go_as_have_ready_successors() -> None:
    """Of two wanted, one ready elsewhere lets one go: not the one that still serves."""
    view = a_view(
        a_replica("tiny-1", node="a", phase=STARTING),
        a_replica("tiny-2", node="a", phase=READY, cores=(1,)),
        a_replica("tiny-3", node="b", phase=READY),
        wanted=2,
    )
    assert left(view) == ["tiny-1"]


def test_those_of_a_deleted_service_go_at_once() -> None:
    """Nobody waits for successors that will not come."""
    old = a_replica("tiny-1", node="a", phase=READY)
    assert left(a_view(old, phase=ServicePhase.DELETING)) == ["tiny-1"]


def drain(world: World, name: NodeId) -> None:
    """An admin drains a node."""
    view = world.desk.view()
    node = view.node(name)
    assert node is not None
    world.store.commit(view.version, Changes(nodes=(emptied(node),)))


def test_a_service_is_ready_all_the_while_its_node_is_drained() -> None:
    """At every pass the door has somewhere to send a request; at the end the node is empty and the reason is kept."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (old,) = world.desk.view().replicas
    drain(world, old.node)
    for _ in range(40):
        world.loop.pass_once()
        world.clock.t_s += 0.5
        assert world.doors.upstreams("tiny")
        assert world.desk.view().service("tiny").phase is ServicePhase.READY
    (new,) = world.desk.view().replicas
    assert new.node != old.node
    stopped = next(each for each in world.desk.decisions("tiny", 9) if each.outcome is Outcome.STOPPED)
    assert stopped.because[0].code is ReasonCode.DRAINED
    assert stopped.because[0].facts == {"replica": old.id, "node": old.node, "device": ""}


def test_what_has_nowhere_to_go_stays_and_serves() -> None:
    """The loop comes to rest; the refusal names the cordon once, not at each pass; room lets it go."""
    world = a_serving_world(a_node("a"), a_node("b", memory_bytes=1 << 20))
    (old,) = world.desk.view().replicas
    drain(world, old.node)
    world.run(5)
    settled = world.desk.view().version
    told = len(world.desk.decisions("tiny", 99))
    world.run(20)
    view = world.desk.view()
    assert [(each.id, each.phase) for each in view.replicas] == [(old.id, READY)]
    assert view.service("tiny").phase is ServicePhase.READY
    assert (view.version, len(world.desk.decisions("tiny", 99))) == (settled, told)

    world.agents.nodes[NodeId("c")] = a_node("c")
    world.run(10)
    assert [each.node for each in world.desk.view().replicas] == ["c"]


def test_a_cordon_moves_nothing() -> None:
    """What runs stays; only new work goes elsewhere."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (old,) = world.desk.view().replicas
    view = world.desk.view()
    node = view.node(old.node)
    assert node is not None
    world.store.commit(view.version, Changes(nodes=(replace(node, is_cordoned=True),)))
    world.run(10)
    assert [each.id for each in world.desk.view().replicas] == [old.id]
    world.deploy("other")
    world.run(5)
    (other,) = world.desk.view().replicas_of(ServiceName("other"))
    assert other.node != old.node


def test_draining_ends_when_it_is_taken_back() -> None:
    """Uncordoned before the successor was ready: of the two one leaves, and the service keeps what it wants."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (old,) = world.desk.view().replicas
    drain(world, old.node)
    world.loop.pass_once()
    assert len(world.desk.view().replicas) == 2
    view = world.desk.view()
    node = view.node(old.node)
    assert node is not None
    world.store.commit(view.version, Changes(nodes=(replace(node, is_cordoned=False, is_draining=False),)))
    world.run(10)
    assert [each.id for each in world.desk.view().replicas] == [old.id]
