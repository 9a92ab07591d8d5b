"""Who may fall asleep, for whose sleep others end, and what room sleep leaves to the node's CPU. Values only."""

from dataclasses import replace

from alliage.control.resting import at_rest, bedtimes, without_lost_beds, woken
from alliage.decide.plan import Plan, Status
from alliage.decide.reasons import Outcome
from alliage.decide.room import rooms
from alliage.decide.sleeping import SHARE, host_room, sleep_bytes
from alliage.fleet.ids import DeviceId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Binding, Replica
from alliage.fleet.view import FleetView
from tests.builders import CATALOG, a_node, a_recipe, a_replica, a_service

GIB = 1 << 30
CARD = CATALOG.models["qwen3-0.6b"]
RECIPE = replace(a_recipe("qwen3-0.6b"), chip="nvidia-h20", engine="vllm", precision="BF16", cores=0)
WEIGHTS = sleep_bytes(RECIPE, CARD, CATALOG) or 0


def a_gpu_node(*, memory_bytes: int, cpu: bool = False) -> Node:
    """Two cards; with `cpu` the node's memory is that of its CPU, which serves too."""
    cards = tuple(
        Device(id=DeviceId(f"box/nvidia{n}"), chip="nvidia-h20", cores=(), memory_bytes=96 * GIB, facts={})
        for n in (0, 1)
    )
    own = a_node("box", memory_bytes=memory_bytes)
    return replace(own, devices=(*(own.devices if cpu else ()), *cards), memory_bytes=0 if cpu else memory_bytes)


def on_card(name: str, phase: ReplicaPhase, *, card: int = 0) -> Replica:
    """A replica on one of the cards; asleep it has them as its bed."""
    bound = (Binding(device=DeviceId(f"box/nvidia{card}"), cores=(), memory_bytes=RECIPE.memory_bytes),)
    made = replace(a_replica(name, service="nap", node="box", recipe=RECIPE, phase=phase), bindings=bound)
    if phase is ReplicaPhase.ASLEEP:
        return replace(made, bindings=(), bed=bound, host_bytes=WEIGHTS)
    return made


def a_view(node: Node, *replicas: Replica) -> FleetView:
    """One service on one node."""
    return FleetView(version=1, nodes=(node,), services=(a_service("nap", card=CARD, replicas=0),), replicas=replicas)


def rested(view: FleetView, name: str) -> dict[str, ReplicaPhase]:
    """The phases once that one is not wanted any more."""
    leaving = tuple(replace(each, phase=ReplicaPhase.DRAINING) if each.id == name else each for each in view.replicas)
    after = at_rest(view, replace(view, replicas=leaving), CATALOG)
    return {each.id: each.phase for each in after.replicas}


def test_it_sleeps_where_half_of_the_memory_has_room_and_ends_where_not() -> None:
    """The weights are what counts; a node of unknown memory has no room, and llama.cpp knows no sleep."""
    assert WEIGHTS > GIB
    ready = on_card("nap-1", ReplicaPhase.READY)
    enough, little = a_gpu_node(memory_bytes=int(2.1 * WEIGHTS)), a_gpu_node(memory_bytes=int(1.9 * WEIGHTS))
    assert rested(a_view(enough, ready), "nap-1") == {"nap-1": ReplicaPhase.RESTING}
    assert rested(a_view(little, ready), "nap-1") == {"nap-1": ReplicaPhase.DRAINING}
    assert rested(a_view(replace(enough, memory_bytes=0), ready), "nap-1") == {"nap-1": ReplicaPhase.DRAINING}
    plain = replace(ready, recipe=replace(RECIPE, engine="llama.cpp-cuda"))
    assert rested(a_view(enough, plain), "nap-1") == {"nap-1": ReplicaPhase.DRAINING}


def test_the_oldest_sleeper_ends_for_a_newer_one_which_waits_for_its_memory() -> None:
    """Until it is gone the newer one stays as it was, so that the memory is never promised twice."""
    node = a_gpu_node(memory_bytes=int(2.1 * WEIGHTS))
    view = a_view(node, on_card("nap-1", ReplicaPhase.ASLEEP), on_card("nap-2", ReplicaPhase.READY, card=1))
    assert rested(view, "nap-2") == {"nap-1": ReplicaPhase.STOPPING, "nap-2": ReplicaPhase.READY}
    stopping = replace(view.replicas[0], phase=ReplicaPhase.STOPPING)
    waiting = replace(view, replicas=(stopping, view.replicas[1]))
    assert rested(waiting, "nap-2") == {"nap-1": ReplicaPhase.STOPPING, "nap-2": ReplicaPhase.READY}
    gone = replace(view, replicas=view.replicas[1:])
    assert rested(gone, "nap-2") == {"nap-2": ReplicaPhase.RESTING}


def test_what_sleeps_is_taken_off_the_memory_of_the_nodes_cpu() -> None:
    """Bound and asleep together are never more than it has; the cards are free for others."""
    node = a_gpu_node(memory_bytes=8 * GIB, cpu=True)
    view = a_view(node, on_card("nap-1", ReplicaPhase.ASLEEP))
    left = {str(room.id): (room.memory_bytes, room.holders, room.sleepers) for room in rooms(view)}
    assert left["box/cpu0"] == (8 * GIB - WEIGHTS, (), 0)
    assert left["box/nvidia0"] == (96 * GIB, (), 1)
    assert host_room(node, view) == int(SHARE * 8 * GIB) - WEIGHTS
    busy = a_replica("tiny-1", service="tiny", node="box", recipe=a_recipe(memory_bytes=7 * GIB))
    assert host_room(node, a_view(node, busy)) == GIB


def test_waking_takes_the_bed_and_is_told_with_its_reason() -> None:
    """The same devices, and none in the bed any more; one that only rests is as it was."""
    view = a_view(a_gpu_node(memory_bytes=100 * GIB), on_card("nap-1", ReplicaPhase.ASLEEP), on_card("nap-2", ReplicaPhase.RESTING, card=1))  # fmt: skip
    planned = Plan(
        status=Status.OPTIMAL, add=(), surplus=(), unserved=(), decisions=(), wake=(ReplicaId("nap-1"), ReplicaId("nap-2")),
    )  # fmt: skip
    after = woken(view, planned)
    first, second = after.replicas
    assert (first.phase, first.bindings, first.bed) == (ReplicaPhase.WAKING, view.replicas[0].bed, ())
    assert (second.phase, second.host_bytes) == (ReplicaPhase.READY, 0)
    assert [each.outcome for each in bedtimes(view, after, 5.0)] == [Outcome.WOKEN, Outcome.WOKEN]


def test_a_sleeper_ends_with_its_device_but_not_because_its_node_is_silent() -> None:
    """Cordoned, or gone: nothing could wake there. Unreachable may come back."""
    node = a_gpu_node(memory_bytes=100 * GIB)
    asleep = on_card("nap-1", ReplicaPhase.ASLEEP)

    def phase(node: Node) -> ReplicaPhase:
        return without_lost_beds(a_view(node, asleep)).replicas[0].phase

    assert phase(node) is ReplicaPhase.ASLEEP
    assert phase(replace(node, cordoned=(DeviceId("box/nvidia0"),))) is ReplicaPhase.STOPPING
    assert phase(replace(node, devices=node.devices[1:])) is ReplicaPhase.STOPPING
