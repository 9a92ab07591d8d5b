"""What admins take out gives no room, and a refusal says so and what opening it would change."""

from dataclasses import replace

from alliage.decide.plan import Budget, Infeasible, Plan, plan
from alliage.decide.reasons import Decision, ReasonCode
from alliage.decide.room import rooms
from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Node
from alliage.fleet.view import FleetView
from tests.builders import CATALOG, a_node, a_replica, a_service

CPU_A = DeviceId("a/cpu0")


def planned(view: FleetView) -> Plan | Infeasible:
    """What is planned for it."""
    return plan(view, CATALOG, now_s=0.0, budget=Budget.unlimited())


def a_view(*nodes: Node) -> FleetView:
    """Two services of one replica each want a place."""
    return FleetView(version=1, nodes=nodes, services=(a_service("tiny"),))


def refusal(view: FleetView) -> Decision:
    """The one decision, which is a no."""
    (decision,) = planned(view).decisions
    assert decision.recipe is None
    return decision


def test_a_cordoned_node_gives_no_room() -> None:
    """Neither for a plan nor for a binding; what runs there stays bound."""
    closed = replace(a_node("a"), is_cordoned=True)
    view = replace(a_view(closed, a_node("b")), replicas=(a_replica("old-000001", service="old", node="a"),))

    assert {room.node for room in rooms(view)} == {"b"}
    answer = planned(view)
    assert isinstance(answer, Plan)
    assert answer.add[0].decision.where == "b/cpu0"


def test_a_cordoned_device_gives_no_room() -> None:
    """The other devices of its node do."""
    node = a_node("a")
    other = replace(node.devices[0], id=DeviceId("a/cpu1"))
    node = replace(node, devices=(node.devices[0], other), cordoned=(CPU_A,))
    assert [room.id for room in rooms(a_view(node))] == ["a/cpu1"]


def test_a_refusal_names_what_is_cordoned_and_what_opening_it_would_change() -> None:
    """Of a node that is full and one that is closed, the no names both; only the closed one would hold it if open."""
    full = a_node("b", cores=1)
    view = a_view(replace(a_node("a"), is_cordoned=True), full)
    view = replace(view, replicas=(a_replica("old-000001", service="old", node="b"),))

    decision = refusal(view)

    closed = [each.reason for each in decision.rejected if each.reason.code is ReasonCode.CORDONED]
    assert [reason.facts for reason in closed] == [{"node": "a", "device": "", "draining": 0}]
    opening = [reason.facts for reason in decision.would_change if reason.code is ReasonCode.UNCORDON]
    assert opening == [{"node": "a", "device": ""}]


def test_opening_what_is_too_small_is_not_advised() -> None:
    """A cordoned node that has no memory for it is named, but opening it would change nothing."""
    tight = replace(a_node("a", memory_bytes=1 << 20), is_cordoned=True)
    decision = refusal(a_view(tight, a_node("b", memory_bytes=1 << 20)))
    assert any(each.reason.code is ReasonCode.CORDONED for each in decision.rejected)
    assert all(reason.code is not ReasonCode.UNCORDON for reason in decision.would_change)


def test_a_fleet_that_is_cordoned_as_a_whole_says_so() -> None:
    """Not that its nodes cannot be reached; a single device is named as the one to open."""
    decision = refusal(a_view(replace(a_node("a"), cordoned=(CPU_A,), draining=(CPU_A,))))
    assert [each.reason.code for each in decision.rejected] == [ReasonCode.CORDONED]
    assert decision.rejected[0].reason.facts["draining"] == 1
    assert [reason.facts for reason in decision.would_change] == [{"node": "a", "device": CPU_A}]
