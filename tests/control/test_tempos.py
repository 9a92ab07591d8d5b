"""Tempos: of what the speed model knows, reckoned once, and again only when something that they stand on changes."""

from dataclasses import replace

from alliage.control.observed import EngineState
from alliage.control.table import build_table, endpoints_after
from alliage.control.tempos import kind_of, tempos_after
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Objective
from alliage.fleet.view import FleetView
from alliage.units import GIB
from tests.builders import (
    CATALOG,
    a_measured,
    a_node,
    a_node_report,
    a_recipe,
    a_replica,
    a_replica_report,
    a_service,
)  # fmt: skip

MODEL = CATALOG.models["qwen3-8b"]


def gpu_node(name: str = "rack", *, devices: int = 2) -> Node:
    """A node with H20."""
    cards = tuple(
        Device(id=DeviceId(f"{name}/{index}"), chip="nvidia-h20", cores=(), memory_bytes=96 * GIB, facts={})
        for index in range(devices)
    )
    return replace(a_node(name), devices=cards)


def gpu_replica(name: str, node: str = "rack") -> Replica:
    """VLLM on one of them."""
    recipe = replace(a_recipe("qwen3-8b", cores=0), chip="nvidia-h20", engine="vllm", precision="bf16", concurrency=64)
    return replace(
        a_replica(name, service="chat", node=node, phase=ReplicaPhase.READY, recipe=recipe), node=NodeId(node)
    )


def a_view(*replicas: Replica, node: Node | None = None) -> FleetView:
    """One service on one node."""
    objective = Objective(ttft_s=1.0, tpot_s=0.05)
    service = a_service("chat", card=MODEL, objective=objective)
    return FleetView(version=1, nodes=(node or gpu_node(),), services=(service,), replicas=replicas)


def test_replicas_of_one_kind_have_one_tempo_that_is_kept() -> None:
    """The same object at the next pass, also when all else was read anew from the store."""
    view = a_view(gpu_replica("a"), gpu_replica("b"))
    first = tempos_after({}, view, CATALOG)
    assert len(first) == 1
    (known,) = first.values()
    assert known.tempo is not None
    assert known.tempo.kv_tokens > 64 * 1280
    again = tempos_after(first, a_view(gpu_replica("a"), gpu_replica("b")), CATALOG)
    assert next(iter(again.values())) is known


def test_another_node_or_a_measurement_is_a_reason_to_reckon_again() -> None:
    """Less memory on the devices, and a replica that was measured to be slower."""
    replica = gpu_replica("a")
    before = tempos_after({}, a_view(replica), CATALOG)[kind_of(replica)]
    smaller = gpu_node()
    smaller = replace(smaller, devices=tuple(replace(each, memory_bytes=40 * GIB) for each in smaller.devices))
    after = tempos_after({kind_of(replica): before}, a_view(replica, node=smaller), CATALOG)[kind_of(replica)]
    assert before.tempo is not None
    assert after.tempo is not None
    assert after.tempo.kv_tokens < before.tempo.kv_tokens
    seen = replace(
        a_measured(model="qwen3-8b", node="rack", throughput_tps=20.0), chip="nvidia-h20", engine="vllm", precision="bf16", cores=0
    )  # fmt: skip
    measured = tempos_after({kind_of(replica): before}, replace(a_view(replica), measured=(seen,)), CATALOG)
    slow = measured[kind_of(replica)].tempo
    assert slow is not None
    assert slow.step_s > before.tempo.step_s


def test_what_nothing_is_known_of_has_none() -> None:
    """A chip that the catalogue lacks, and a node that left."""
    strange = gpu_replica("a")
    strange = replace(strange, recipe=replace(strange.recipe, chip="nobody-1"))
    assert tempos_after({}, a_view(strange), CATALOG)[kind_of(strange)].tempo is None
    lost = gpu_replica("b", node="gone")
    assert kind_of(lost) not in tempos_after({}, a_view(lost), CATALOG)


def test_the_table_carries_tempo_and_objective_and_stays_the_same() -> None:
    """So a pass that changes nothing pushes nothing."""
    replica = gpu_replica("a")
    node = gpu_node()
    view = a_view(replica, node=node)
    reports = {node.id: a_node_report(node, a_replica_report(replica.id, EngineState.READY))}
    tempos = tempos_after({}, view, CATALOG)
    table = build_table(view, endpoints_after({}, view, reports, tempos), reports, version=3)
    (route,) = table.routes.values()
    assert route.objective == Objective(ttft_s=1.0, tpot_s=0.05)
    (upstream,) = route.upstreams
    assert upstream.tempo == tempos[kind_of(replica)].tempo
    again = tempos_after(tempos, view, CATALOG)
    assert build_table(view, endpoints_after({}, view, reports, again), reports, version=3) == table
    left = endpoints_after({replica.id: upstream}, view, {}, again)
    assert left[replica.id].tempo == upstream.tempo
