"""What gateways see of replicas at work becomes measurements: at once where running streams show one to have become slow."""

from dataclasses import replace

import pytest

from alliage.control.learning import WINDOW_S, Learning
from alliage.control.observed import DoorReport
from alliage.control.odd import odd_nodes
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import Measured
from alliage.fleet.nodes import Device
from alliage.fleet.replicas import Replica
from alliage.fleet.traffic import ReplicaTraffic
from alliage.fleet.view import FleetView
from alliage.units import GIB
from tests.builders import CATALOG, a_node, a_recipe, a_replica, a_service

SLOTS = 16
MODEL = CATALOG.models["qwen3-8b"]


def a_view(*names: str) -> FleetView:
    """One service with a replica on an H20 of each of these nodes."""
    nodes, replicas = [], []
    for name in names:
        card = Device(id=DeviceId(f"{name}/0"), chip="nvidia-h20", cores=(), memory_bytes=96 * GIB, facts={})
        nodes.append(replace(a_node(name), devices=(card,)))
        replicas.append(on(name))
    service = a_service("chat", card=MODEL, replicas=len(names))
    return FleetView(version=1, nodes=tuple(nodes), services=(service,), replicas=tuple(replicas), keys=())


def on(node: str) -> Replica:
    """The replica of a node, of its name."""
    recipe = replace(
        a_recipe("qwen3-8b", cores=0), chip="nvidia-h20", engine="vllm", precision="bf16", concurrency=SLOTS,
        context_tokens=8192,
    )  # fmt: skip
    return replace(
        a_replica(node, service="chat", node=node, phase=ReplicaPhase.READY, recipe=recipe), node=NodeId(node)
    )


def a_report(**replicas: ReplicaTraffic) -> DoorReport:
    """What a gateway tells of them."""
    seen = {ReplicaId(name): traffic for name, traffic in replicas.items()}
    return DoorReport(door="door", table_version=1, in_flight={}, heard_s=0.0, counted_s=0.0, replicas=seen)


def looked(learning: Learning, view: FleetView, at_s: float, **replicas: ReplicaTraffic) -> tuple[Measured, ...]:
    """What control makes of it."""
    found = learning.look(view, (a_report(**replicas),), now_s=at_s, wall_s=1000.0 + at_s)
    return tuple(each.measured for each in found)


STEP_S = 0.012
WELL = ReplicaTraffic(in_flight=8, step_s=STEP_S)
SLOW = ReplicaTraffic(in_flight=8, step_s=5 * STEP_S, is_slow=True)


def test_one_that_became_slow_is_odd_at_the_first_word_of_it() -> None:
    """With what the streams of the others show, so that it is the node and not the recipe; told once."""
    view, learning = a_view("a", "b", "c"), Learning(CATALOG)
    assert looked(learning, view, 0.0, a=WELL, b=WELL, c=WELL) == ()
    found = looked(learning, view, 1.0, a=SLOW, b=WELL, c=WELL)
    assert {each.node: round(each.tpot_s, 4) for each in found} == {"a": 5 * STEP_S, "b": STEP_S, "c": STEP_S}
    assert {each.concurrency for each in found} == {8}
    assert odd_nodes(found, 1001.0) == {"a"}
    assert looked(learning, replace(view, measured=found), 2.0, a=SLOW, b=WELL, c=WELL) == ()


def test_what_says_nothing_at_all_is_no_measurement() -> None:
    """It hangs: that has its own deadline, and no pace."""
    view, learning = a_view("a", "b"), Learning(CATALOG)
    mute = ReplicaTraffic(in_flight=8, is_slow=True)
    assert looked(learning, view, 1.0, a=mute, b=WELL) == ()


def test_where_nobody_else_is_well_nobody_is_blamed() -> None:
    """All of them became slow, or there is no other: a few seconds are not to speak for the recipe; ended answers will."""
    assert looked(Learning(CATALOG), a_view("a", "b"), 1.0, a=SLOW, b=SLOW) == ()
    assert looked(Learning(CATALOG), a_view("a"), 1.0, a=SLOW) == ()


def test_what_was_seen_of_others_lately_counts_where_they_are_idle() -> None:
    """A measurement of another node within half an hour."""
    view = a_view("a", "b")
    of_b = next(each for each in looked(Learning(CATALOG), view, 1.0, a=SLOW, b=WELL) if each.node == "b")
    view = replace(view, measured=(of_b,))
    (found,) = looked(Learning(CATALOG), view, 100.0, a=SLOW)
    assert found.node == "a"
    assert odd_nodes((found, of_b), 1100.0) == {"a"}
    assert looked(Learning(CATALOG), view, 2000.0, a=SLOW) == ()


def test_two_gateways_count_together() -> None:
    """Each sees its own share of the requests; the pace is the mean of what both see."""
    view, learning = a_view("a", "b"), Learning(CATALOG)
    one, two = a_report(a=SLOW, b=WELL), replace(a_report(a=replace(SLOW, in_flight=4)), door="other")
    found = {each.measured.node: each.measured for each in learning.look(view, (one, two), now_s=1.0, wall_s=1.0)}
    assert (found[NodeId("a")].concurrency, found[NodeId("b")].concurrency) == (12, 8)


def full(at_once: float, ttft_s: float, tpot_s: float) -> ReplicaTraffic:
    """A window of 40 answers of 512 and 200 tokens, so many requests there at once in the mean."""
    return ReplicaTraffic(
        answered=40, input_tokens=40 * 512, output_tokens=40 * 200, first_tokens=40, ttft_s=40 * ttft_s,
        decode_tokens=40 * 199, decode_s=40 * 199 * tpot_s, busy_s=at_once * WINDOW_S, in_flight=round(at_once),
    )  # fmt: skip


@pytest.mark.parametrize("times", [1.0, 1.5, 3.0])
def test_waiting_for_a_slot_is_not_slowness(times: float) -> None:
    """More requests than slots: by Little's law they wait so much longer, and the replica does as much as it did with all slots full."""
    view, learning = a_view("a"), Learning(CATALOG)
    looked(learning, view, 1.0, a=ReplicaTraffic(in_flight=round(times * SLOTS)))
    stay_s = 0.5 + 199 * 0.1
    waited_s = (times - 1.0) * stay_s
    (found,) = looked(learning, view, WINDOW_S + 1, a=full(times * SLOTS, 0.5 + waited_s, 0.1))
    assert found.concurrency == SLOTS
    assert found.ttft_s == pytest.approx(0.5, rel=0.3)
    assert found.throughput_tps == pytest.approx(SLOTS * 200 / stay_s, rel=0.05)
