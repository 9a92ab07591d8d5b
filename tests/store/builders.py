"""Nouns with every field filled, so that a test names only what it is about."""

from alliage.catalog.records import Architecture, ModelCard, Task, WeightFile, Weights, WeightsFormat
from alliage.control.observed import Observation
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.fleet.failed import Failed
from alliage.fleet.ids import DeviceId, KeyId, NodeId, ReplicaId, ServiceName
from alliage.fleet.keys import Key, Role
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.limits import Limits, Priority
from alliage.fleet.measured import Measured, Origin, RecipeKey
from alliage.fleet.nodes import Device, EngineFound, Node
from alliage.fleet.replicas import Binding, Evidence, Recipe, Replica
from alliage.fleet.services import Objective, Service
from alliage.fleet.tenants import Guarantee, Project, Tenant

GIB = 1024**3
CPU = DeviceId("laptop/cpu0")
CARD = DeviceId("laptop/card0")


def a_node(name: str = "laptop", *, cores: int = 4, memory_bytes: int = 8 * GIB) -> Node:
    """A node with a CPU (`NAME/cpu0`) that is shared and a card (`NAME/card0`) that is given whole."""
    cpu = Device(
        id=DeviceId(f"{name}/cpu0"),
        chip="cpu-x86",
        cores=tuple(range(cores)),
        memory_bytes=memory_bytes,
        facts={"model": "Xeon™", "flags": "avx512 amx"},
    )
    card = Device(id=DeviceId(f"{name}/card0"), chip="nvidia-h20", cores=(), memory_bytes=96 * GIB, facts={})
    engine = EngineFound(engine="llama-cpp", version="1", program="bundled")
    return Node(id=NodeId(name), site="home", phase=NodePhase.READY, devices=(cpu, card), engines=(engine,))


def a_card() -> ModelCard:
    """A model card."""
    return ModelCard(
        id="small",
        name="Small",
        licence="Apache-2.0",
        precision="Q4_1",
        tasks=(Task.CHAT,),
        architecture=Architecture(
            family="llama",
            parameters=134_515_008,
            layers=30,
            hidden=576,
            heads=9,
            kv_heads=3,
            head_dim=64,
            vocabulary=49152,
            context_tokens=2048,
        ),
        weights=Weights(
            source="hf:ORG/NAME",
            revision="abc",
            format=WeightsFormat.GGUF,
            files=(WeightFile(path="a.gguf", size_bytes=98_362_432, sha256=None),),
        ),
        remote_code=False,
    )


def a_service(name: str = "chat", *, created_s: float = 1.5, tenant: str = "house") -> Service:
    """A service."""
    return Service(
        name=ServiceName(name),
        tenant=tenant,
        model=a_card(),
        objective=Objective(ttft_s=0.5, tpot_s=None),
        min_replicas=1,
        max_replicas=2,
        phase=ServicePhase.STARTING,
        created_s=created_s,
    )


def a_recipe() -> Recipe:
    """A recipe."""
    return Recipe(
        model="small",
        chip="cpu-x86",
        engine="llama-cpp",
        precision="Q4_1",
        tensor_parallel=1,
        pipeline_parallel=1,
        context_tokens=2048,
        concurrency=4,
        cores=1,
        memory_bytes=GIB,
        evidence=Evidence.ESTIMATED,
    )


def a_binding(*cores: int, device: DeviceId = CPU, memory_bytes: int = GIB) -> Binding:
    """A binding; without cores the device is given whole."""
    return Binding(device=device, cores=cores, memory_bytes=memory_bytes)


def a_replica(
    name: str = "chat-000001",
    *bindings: Binding,
    created_s: float = 2.5,
    phase: ReplicaPhase = ReplicaPhase.BOUND,
    note: str = "",
) -> Replica:
    """A replica of the service that its name begins with, on the node `laptop`."""
    return Replica(
        id=ReplicaId(name),
        service=ServiceName(name.rpartition("-")[0]),
        node=NodeId("laptop"),
        recipe=a_recipe(),
        bindings=bindings,
        phase=phase,
        starts=3,
        failures=1,
        retry_s=7.25,
        note=note,
        created_s=created_s,
    )


def a_key(name: str = "key-1", *, role: Role = Role.USER) -> Key:
    """A key."""
    return Key(
        id=KeyId(name),
        name="Ann",
        role=role,
        tenant="house",
        sha256="ab" * 32,
        created_s=3.5,
        project="web",
        priority=Priority.BATCH,
        limits=some_limits(),
    )


def some_limits() -> Limits:
    """A limit of every kind."""
    return Limits(
        requests_per_minute=600,
        tokens_per_minute=10**12,
        parallel=20,
        context_tokens=32_768,
        models=("chat", "small"),
        day_micros=0,
        month_micros=10**15,
    )


def a_project(tenant: str = "house", name: str = "web") -> Project:
    """A project with limits of every kind."""
    return Project(tenant=tenant, name=name, limits=some_limits())


def a_tenant(name: str = "house", *, tier: int = 1) -> Tenant:
    """A tenant with rights and limits of every kind."""
    guarantees = (Guarantee(chips=("nvidia-h20", "huawei-910b"), devices=8, site="hall"),)
    return Tenant(
        name=name,
        tier=tier,
        weight=2.5,
        guarantees=guarantees,
        budget_micros=40_000_000,
        limits=some_limits(),
        logs_prompts=True,
    )


def a_recipe_key(model: str = "small", *, cores: int = 1) -> RecipeKey:
    """The key of `a_recipe`."""
    return RecipeKey(chip="cpu-x86", model=model, engine="llama-cpp", precision="Q4_1", devices=1, cores=cores)


def a_failed(
    model: str = "small", *, node: str = "laptop", cores: int = 1, at_s: float = 7.5, why: str = "no such operator"
) -> Failed:
    """A recipe that failed on a node."""
    recipe = a_recipe_key(model, cores=cores)
    return Failed(node=NodeId(node), recipe=recipe, service=ServiceName("chat"), at_s=at_s, why=why)


def a_decision(service: str = "chat", *, at_s: float = 4.5, outcome: Outcome = Outcome.PLACED) -> Decision:
    """A decision with reasons of every kind of fact."""
    fits = Reason(code=ReasonCode.FITS, facts={"node": "laptop", "cores": 1, "share": 0.5})
    return Decision(
        at_s=at_s,
        service=ServiceName(service),
        outcome=outcome,
        recipe=a_recipe(),
        where="laptop/cpu0 cores 1",
        because=(fits,),
        rejected=(Rejected(option="vllm on cpu-x86 at laptop", reason=fits),),
        would_change=(fits,),
    )


def seen(subject: str = "chat", *, at_s: float = 5.5, what: str = "became ready") -> Observation:
    """An observation."""
    return Observation(at_s=at_s, subject=subject, what=what)


def measured(
    model: str = "small",
    *,
    node: str = "laptop",
    precision: str = "Q4_1",
    cores: int = 1,
    at_s: float = 6.5,
    engine_version: str = "1",
) -> Measured:
    """A measurement."""
    return Measured(
        at_s=at_s,
        service=ServiceName("chat"),
        node=NodeId(node),
        chip="cpu-x86",
        engine="llama-cpp",
        engine_version=engine_version,
        model=model,
        precision=precision,
        devices=1,
        cores=cores,
        slots=4,
        concurrency=4,
        input_tokens=128,
        output_tokens=64,
        throughput_tps=31.25,
        decode_tps=40.5,
        ttft_s=1.25,
        tpot_s=0.025,
        requests=10,
        duration_s=20.48,
        origin=Origin.PROBE,
    )
