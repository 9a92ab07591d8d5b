"""What admins take out stays out, whatever agents tell."""

from dataclasses import replace

from alliage.control.settle import Heard, settle
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.view import FleetView
from tests.builders import a_node, a_node_report


def test_an_agent_neither_opens_nor_closes_its_node() -> None:
    """A report replaces devices and engines; the admins' words stay, and an agent's own are not heard."""
    cpu = DeviceId("a/cpu0")
    closed = replace(a_node("a"), is_cordoned=True, is_draining=True, cordoned=(cpu,), draining=(cpu,))
    told = {NodeId("a"): a_node("a", cores=8), NodeId("b"): replace(a_node("b"), is_cordoned=True, cordoned=(cpu,))}
    heard = Heard(reports={key: a_node_report(node) for key, node in told.items()}, silent=set(), drained=set())

    after = settle(FleetView(version=1, nodes=(closed,)), heard, now_s=0.0).view

    assert after.nodes == (replace(closed, devices=a_node("a", cores=8).devices), a_node("b"))


def test_a_lost_node_that_is_heard_again_is_ready_and_still_cordoned() -> None:
    """Coming back does not open it."""
    lost = replace(a_node("a"), phase=NodePhase.LOST, is_cordoned=True)
    heard = Heard(reports={NodeId("a"): a_node_report(a_node("a"))}, silent=set(), drained=set())
    (after,) = settle(FleetView(version=1, nodes=(lost,)), heard, now_s=0.0).view.nodes
    assert (after.phase, after.is_cordoned) == (NodePhase.READY, True)
