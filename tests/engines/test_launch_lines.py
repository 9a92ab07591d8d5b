"""Launch specs of every (engine, stack) of the catalogue, as snapshots: a change of one should be read by a person."""

import json
from dataclasses import asdict, replace
from typing import Final

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.catalog.records import ContainerPolicy
from alliage.engines.container import container_argv
from alliage.engines.launch import CONFIG_NAME, Launch, LaunchSpec, Surroundings
from alliage.engines.launchers import LAUNCHERS
from alliage.errors import BadInput
from alliage.fleet.ids import DeviceId
from alliage.fleet.replicas import Binding, Evidence, Recipe, Replica
from tests.builders import CATALOG, a_recipe, a_replica

SECRET: Final = "the-secret"
PAIRS: Final = [
    (engine.id, stack)
    for engine in CATALOG.engines.values()
    for stack in engine.stacks
    if engine.launcher != "llama.cpp"
]
WITH_IMAGE: Final = [
    (engine, stack)
    for engine, stack in PAIRS
    if (on := CATALOG.engines[engine].on_stack(stack)) is not None and on.image.value is not None
]


def replica_on(
    engine: str, stack: str, *, chip: str = "", precision: str = "BF16", devices: tuple[int, ...] = (2, 5)
) -> Replica:
    """A replica over two devices whose numbers have a gap, or on three cores of a CPU."""
    chip = chip or next(each.id for each in CATALOG.chips.values() if each.stack == stack)
    plain = a_replica(recipe=a_recipe(cores=3), cores=(1, 2, 3))
    on_cpu = stack == "cpu"
    recipe = Recipe(
        model="m",
        chip=chip,
        engine=engine,
        precision=precision,
        tensor_parallel=1 if on_cpu else len(devices),
        pipeline_parallel=1,
        context_tokens=4096,
        concurrency=8,
        cores=3 if on_cpu else 0,
        memory_bytes=20_000_000_000,
        evidence=Evidence.ESTIMATED,
    )
    bound = tuple(Binding(device=DeviceId(f"big/{stack}{n}"), cores=(), memory_bytes=1) for n in devices)
    return replace(plain, recipe=recipe, bindings=plain.bindings if on_cpu else bound)


def launched(
    engine: str,
    stack: str,
    launch: Launch = Launch.PROCESS,
    *,
    chip: str = "",
    precision: str = "BF16",
    host: str = "127.0.0.1",
    embed: bool = False,
) -> LaunchSpec:
    """The spec of such a replica."""
    facts = CATALOG.engines[engine].on_stack(stack)
    assert facts is not None
    return LAUNCHERS[CATALOG.engines[engine].launcher](
        replica_on(engine, stack, chip=chip, precision=precision),
        model_path="/models/m",
        alias="m",
        program=f"/opt/{engine}/bin/python",
        python="/venv/bin/python",
        host=host,
        port=40001,
        key=SECRET,
        embed=embed,
        surroundings=Surroundings(
            stack=CATALOG.stacks[stack],
            facts=facts,
            launch=launch,
            folder="/home/run/replicas/m-000001",
            kv_cache_bytes=4096 * 8 * 1000,
        ),
    )


@pytest.mark.parametrize(("engine", "stack"), PAIRS)
def test_as_a_process(engine: str, stack: str, snapshot: SnapshotAssertion) -> None:
    """Everything that the agent gets, for each engine on each of its stacks."""
    assert asdict(launched(engine, stack)) == snapshot


@pytest.mark.parametrize(("engine", "stack"), WITH_IMAGE)
def test_as_a_container(engine: str, stack: str, snapshot: SnapshotAssertion) -> None:
    """The spec, and the command that runs it, where an image is known."""
    spec = launched(engine, stack, Launch.CONTAINER)
    assert spec.container is not None
    command = container_argv(spec, spec.container, program="docker", name="alliage-m-000001")
    assert {"spec": asdict(spec), "command": command} == snapshot


@pytest.mark.parametrize(("engine", "stack"), [pair for pair in PAIRS if pair not in WITH_IMAGE])
def test_no_image_is_guessed(engine: str, stack: str) -> None:
    """Where no source names an image, asking for a container is refused with the way out."""
    with pytest.raises(BadInput, match=f"no container image is known for {engine} on {stack}") as refused:
        launched(engine, stack, Launch.CONTAINER)
    assert f"engines/{engine}.toml" in (refused.value.remedy or "")


@pytest.mark.parametrize(
    ("engine", "stack", "launch"),
    [(*pair, Launch.PROCESS) for pair in PAIRS] + [(*pair, Launch.CONTAINER) for pair in WITH_IMAGE],
)
def test_the_key_is_never_in_a_command(engine: str, stack: str, launch: Launch) -> None:
    """Arguments can be read by every user of a machine: the key is in the environment or in a file of 0600."""
    spec = launched(engine, stack, launch)
    command = spec.argv
    if spec.container is not None:
        command = container_argv(spec, spec.container, program="docker", name="x")
    assert not any(SECRET in word for word in command)
    assert (SECRET in spec.environment.values() or SECRET in spec.config) is (engine != "mindie")


def test_a_process_sees_its_devices_by_physical_number() -> None:
    """The variable of the stack, with the numbers of the bound devices."""
    assert launched("vllm", "nvidia").environment["CUDA_VISIBLE_DEVICES"] == "2,5"
    assert launched("vllm", "ascend").environment["ASCEND_RT_VISIBLE_DEVICES"] == "2,5"
    assert launched("vllm", "amd").environment["HIP_VISIBLE_DEVICES"] == "2,5"
    assert not any("VISIBLE" in name for name in launched("vllm", "cpu").environment)


def test_a_container_that_shows_only_its_devices_numbers_them_anew() -> None:
    """Only its runtime is told the numbers, or only their device files are in it; else the variable must do."""
    nvidia, ascend = launched("vllm", "nvidia", Launch.CONTAINER), launched("vllm", "ascend", Launch.CONTAINER)
    assert nvidia.environment["NVIDIA_VISIBLE_DEVICES"] == "2,5"
    assert "CUDA_VISIBLE_DEVICES" not in nvidia.environment
    assert nvidia.container is not None
    assert (nvidia.container.devices, nvidia.container.policy) == ((), ContainerPolicy.INJECTED)
    assert ascend.container is not None
    assert {"/dev/davinci2", "/dev/davinci5", "/dev/davinci_manager"} <= set(ascend.container.devices)
    assert "/dev/davinci0" not in ascend.container.devices
    assert '"npuDeviceIds": [\n   [\n    2,\n    5' in launched("mindie", "ascend").config


def test_a_chip_may_need_an_image_of_its_own() -> None:
    """A 910C is not served by the image of the 910B."""
    spec = launched("vllm", "ascend", Launch.CONTAINER, chip="huawei-910c")
    assert spec.container is not None
    assert spec.container.image.endswith("-a3")


@pytest.mark.parametrize(
    ("engine", "stack", "chip", "precision", "computed"),
    [
        ("vllm", "nvidia", "nvidia-h20", "BF16", "bfloat16"),
        ("vllm", "nvidia", "nvidia-h20", "F16", "float16"),
        ("vllm", "nvidia", "nvidia-t4", "BF16", "float16"),
        ("vllm", "ascend", "huawei-310p", "BF16", "float16"),
        ("vllm", "gaudi", "intel-gaudi3", "FP16", "bfloat16"),
        ("vllm", "biren", "biren-br166", "FP16", "bfloat16"),
        ("vllm", "biren", "biren-br106", "BF16", "bfloat16"),
        ("vllm", "nvidia", "nvidia-h20", "FP8", "auto"),
        ("sglang", "amd", "amd-mi300x", "FP16", "bfloat16"),
        ("sglang", "nvidia", "nvidia-h20", "FP16", "float16"),
    ],
)
def test_16_bits_are_computed_in_the_format_that_is_served(
    engine: str, stack: str, chip: str, precision: str, computed: str
) -> None:
    """A plan of a BF16 model on a T4 rests on its FP16; vLLM would end where it is asked for BF16."""
    spec = launched(engine, stack, chip=chip, precision=precision)
    words = spec.argv if engine == "vllm" else json.loads(spec.config)
    assert (words[words.index("--dtype") + 1] if isinstance(words, tuple) else words["dtype"]) == computed


def test_models_that_embed_are_asked_to() -> None:
    """The vLLM server pools, SGLang is told so, MindIE has no such thing."""
    assert "pooling" in launched("vllm", "cpu", embed=True).argv
    assert '"is-embedding": true' in launched("sglang", "nvidia", embed=True).config
    with pytest.raises(BadInput, match="chat"):
        launched("mindie", "ascend", embed=True)


def test_an_engine_without_keys_listens_on_loopback_only() -> None:
    """MindIE asks for no key: an address that others reach is refused."""
    with pytest.raises(BadInput, match=r"0\.0\.0\.0"):
        launched("mindie", "ascend", host="0.0.0.0")


def test_a_config_file_is_named_where_it_will_lie() -> None:
    """The folder is the replica's; a container sees it at the same path."""
    spec = launched("sglang", "nvidia", Launch.CONTAINER)
    path = f"/home/run/replicas/m-000001/{CONFIG_NAME}"
    assert path in spec.argv
    assert spec.container is not None
    assert "/home/run/replicas/m-000001" in {mount.path for mount in spec.container.mounts}
    assert path == launched("mindie", "ascend").environment["MIES_CONFIG_JSON_PATH"]


@pytest.mark.parametrize("engine", ["vllm", "sglang", "mindie"])
def test_an_engine_unknown_on_a_stack_is_refused(engine: str) -> None:
    """Without facts of the stack nothing is guessed."""
    with pytest.raises(BadInput):
        LAUNCHERS[engine](
            a_replica(),
            model_path="/m",
            alias="m",
            program="p",
            python="p",
            host="127.0.0.1",
            port=1,
            key=SECRET,
            embed=False,
        )


def test_llama_cpp_is_no_container() -> None:
    """Asking for one is refused, not ignored."""
    with pytest.raises(BadInput, match="process"):
        launched("llama.cpp", "cpu", Launch.CONTAINER)


def test_a_device_without_a_number_is_refused() -> None:
    """A wrong device would be another tenant's."""
    odd = Binding(device=DeviceId("big/strange"), cores=(), memory_bytes=1)
    facts = CATALOG.engines["vllm"].on_stack("nvidia")
    assert facts is not None
    with pytest.raises(BadInput, match="big/strange"):
        LAUNCHERS["vllm"](
            replace(replica_on("vllm", "nvidia"), bindings=(odd,)),
            model_path="/m",
            alias="m",
            program="p",
            python="p",
            host="127.0.0.1",
            port=1,
            key=SECRET,
            embed=False,
            surroundings=Surroundings(
                stack=CATALOG.stacks["nvidia"], facts=facts, launch=Launch.PROCESS, folder="/f", kv_cache_bytes=1
            ),
        )
