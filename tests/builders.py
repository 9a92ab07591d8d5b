"""Builders of domain values for tests: a sensible whole, with what the test cares about given by name."""

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Architecture, ModelCard, Task, WeightFile, Weights, WeightsFormat
from alliage.control.observed import EngineState, NodeReport, ReplicaReport
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.measured import Measured, Origin
from alliage.fleet.nodes import Device, EngineFound, Node
from alliage.fleet.replicas import Binding, Evidence, Recipe, Replica
from alliage.fleet.services import Objective, Service
from alliage.units import GIB, MIB

CATALOG = load_catalog()
"""The catalogue as it is shipped: decisions are tested on real facts."""


def a_card(
    model: str = "tiny",
    *,
    weight_bytes: int = 100 * MIB,
    weights_format: WeightsFormat = WeightsFormat.GGUF,
    tasks: tuple[Task, ...] = (Task.CHAT,),
    context_tokens: int = 8192,
) -> ModelCard:
    """A small llama-like model card."""
    return ModelCard(
        id=model,
        name=model,
        licence="Apache-2.0",
        precision="Q4_1",
        tasks=tasks,
        architecture=Architecture(
            family="llama",
            parameters=134_515_008,
            layers=30,
            hidden=576,
            heads=9,
            kv_heads=3,
            head_dim=64,
            vocabulary=49152,
            context_tokens=context_tokens,
        ),
        weights=Weights(
            source=f"file:/models/{model}.{weights_format}",
            revision="",
            format=weights_format,
            files=(WeightFile(path=f"{model}.{weights_format}", size_bytes=weight_bytes, sha256=None),),
        ),
        remote_code=False,
    )


def a_node(
    name: str = "laptop",
    *,
    cores: int = 2,
    memory_bytes: int = 16 * GIB,
    engines: tuple[str, ...] = ("llama.cpp",),
    phase: NodePhase = NodePhase.READY,
    chip: str = "cpu-x86",
) -> Node:
    """A node with one CPU device."""
    device = Device(
        id=DeviceId(f"{name}/cpu0"),
        chip=chip,
        cores=tuple(range(cores)),
        memory_bytes=memory_bytes,
        facts={"model": "AMD EPYC", "cores": str(cores)},
    )
    found = tuple(EngineFound(engine=engine, version="1", program="bundled") for engine in engines)
    return Node(id=NodeId(name), site="local", phase=phase, devices=(device,), engines=found)


def a_service(
    name: str = "tiny",
    *,
    card: ModelCard | None = None,
    replicas: int = 1,
    phase: ServicePhase = ServicePhase.STARTING,
    objective: Objective | None = None,
    created_s: float = 0.0,
) -> Service:
    """A service of one model."""
    return Service(
        name=ServiceName(name),
        tenant="default",
        model=card or a_card(name),
        objective=objective or Objective(ttft_s=None, tpot_s=None),
        min_replicas=replicas,
        max_replicas=max(replicas, 1),
        phase=phase,
        created_s=created_s,
    )


def a_recipe(model: str = "tiny", *, cores: int = 1, memory_bytes: int = 300 * MIB) -> Recipe:
    """llama.cpp on a CPU."""
    return Recipe(
        model=model,
        chip="cpu-x86",
        engine="llama.cpp",
        precision="Q4_1",
        tensor_parallel=1,
        pipeline_parallel=1,
        context_tokens=4096,
        concurrency=4,
        cores=cores,
        memory_bytes=memory_bytes,
        evidence=Evidence.ESTIMATED,
    )


def a_measured(
    *,
    at_s: float = 100.0,
    node: str = "laptop",
    model: str = "tiny",
    concurrency: int = 4,
    input_tokens: int = 128,
    output_tokens: int = 64,
    throughput_tps: float = 32.0,
) -> Measured:
    """What a replica of `a_recipe` did: 10 requests."""
    return Measured(
        at_s=at_s,
        service=ServiceName(model),
        node=NodeId(node),
        chip="cpu-x86",
        engine="llama.cpp",
        engine_version="1",
        model=model,
        precision="Q4_1",
        devices=1,
        cores=1,
        slots=4,
        concurrency=concurrency,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        throughput_tps=throughput_tps,
        decode_tps=40.0,
        ttft_s=0.5,
        tpot_s=0.1,
        requests=10,
        duration_s=10 * output_tokens / throughput_tps,
        origin=Origin.PROBE,
    )


def a_replica(
    name: str = "tiny-000001",
    *,
    service: str = "tiny",
    node: str = "laptop",
    cores: tuple[int, ...] = (0,),
    phase: ReplicaPhase = ReplicaPhase.BOUND,
    starts: int = 0,
    failures: int = 0,
    retry_s: float = 0.0,
    recipe: Recipe | None = None,
) -> Replica:
    """A replica on `cores` of a node's CPU."""
    recipe = recipe or a_recipe(service, cores=len(cores))
    binding = Binding(device=DeviceId(f"{node}/cpu0"), cores=cores, memory_bytes=recipe.memory_bytes)
    return Replica(
        id=ReplicaId(name),
        service=ServiceName(service),
        node=NodeId(node),
        recipe=recipe,
        bindings=(binding,),
        phase=phase,
        starts=starts,
        failures=failures,
        retry_s=retry_s,
        note="",
        created_s=0.0,
    )


def a_replica_report(
    replica: str = "tiny-000001",
    state: EngineState = EngineState.READY,
    *,
    attempt: int = 1,
    ended_why: str = "",
    ready_for_s: float = 0.0,
) -> ReplicaReport:
    """What an agent tells of one replica."""
    return ReplicaReport(
        replica=ReplicaId(replica),
        attempt=attempt,
        state=state,
        host="127.0.0.1",
        port=40000,
        key="upstream-secret",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=ready_for_s,
        ended_why=ended_why,
        pid=4711,
        resident_bytes=0,
    )


def a_node_report(node: Node, *replicas: ReplicaReport, heard_s: float = 0.0) -> NodeReport:
    """What an agent tells of its node."""
    return NodeReport(
        node=node,
        free_bytes={device.id: device.memory_bytes for device in node.devices},
        replicas={report.replica: report for report in replicas},
        heard_s=heard_s,
    )
