"""llama.cpp's launch lines, as snapshots: a change of them is a change that a person should read."""

from dataclasses import asdict, replace

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.catalog.records import Confidence, Fact, OnStack
from alliage.engines.launch import Launch, LaunchSpec, Surroundings
from alliage.engines.launchers import LAUNCHERS
from alliage.fleet.ids import DeviceId
from alliage.fleet.replicas import Binding
from tests.builders import CATALOG, a_recipe, a_replica


def _launch(program: str, *, embed: bool = False) -> LaunchSpec:
    return LAUNCHERS["llama.cpp"](
        a_replica(recipe=a_recipe(cores=2), cores=(2, 3)),
        model_path="/models/tiny.gguf",
        alias="tiny",
        program=program,
        python="/venv/bin/python",
        host="127.0.0.1",
        port=40001,
        key="the-secret",
        embed=embed,
    )


@pytest.mark.parametrize("program", ["bundled", "/usr/bin/llama-server"])
@pytest.mark.parametrize("embed", [False, True])
def test_launch_lines(program: str, *, embed: bool, snapshot: SnapshotAssertion) -> None:
    """The whole spec of both programs, for chat and for embeddings."""
    assert asdict(_launch(program, embed=embed)) == snapshot


@pytest.mark.parametrize("program", ["bundled", "/usr/bin/llama-server"])
def test_the_key_is_in_the_environment_only(program: str) -> None:
    """Arguments can be read by every user of the machine."""
    spec = _launch(program)
    assert "the-secret" in spec.environment.values()
    assert not any("the-secret" in argument for argument in spec.argv)


def test_cores_are_all_that_a_replica_on_a_cpu_gets() -> None:
    """A program built with CUDA took 615 MiB of an H100 for a model of 7 MB; with this variable it took none."""
    assert _launch("/usr/bin/llama-server").environment["LLAMA_ARG_DEVICE"] == "none"


def test_on_an_accelerator_all_layers_go_there_and_the_catalogue_may_add_variables() -> None:
    """The bound card is shown by its number, and a variable of the engine's table reaches the engine, but no secret's."""
    recipe = replace(a_recipe(cores=0), chip="nvidia-h100-sxm", precision="Q8_0")
    binding = Binding(device=DeviceId("big/nvidia3"), cores=(), memory_bytes=recipe.memory_bytes)
    facts = OnStack(
        stack="nvidia",
        plugin="",
        precisions=(),
        tensor_parallel=Fact(value=None, confidence=Confidence.UNKNOWN, source=""),
        arguments=(),
        environment={"LLAMA_ARG_BACKEND_SAMPLING": "1", "LLAMA_API_KEY": "not this"},
        visible_devices=None,
        container_visible="",
        container_runtime="",
        image=Fact(value=None, confidence=Confidence.UNKNOWN, source=""),
        chip_images={},
        mounts=(),
        notes="",
        sources=("a test",),
        sleeps=Fact(value=None, confidence=Confidence.UNKNOWN, source=""),
    )
    spec = LAUNCHERS["llama.cpp"](
        replace(a_replica(recipe=recipe), bindings=(binding,)),
        model_path="/models/tiny.gguf",
        alias="tiny",
        program="/usr/bin/llama-server",
        python="/venv/bin/python",
        host="127.0.0.1",
        port=40001,
        key="the-secret",
        embed=False,
        surroundings=Surroundings(
            stack=CATALOG.stacks["nvidia"], facts=facts, launch=Launch.PROCESS, folder="/run/x", kv_cache_bytes=1
        ),
    )
    assert spec.environment == {
        "CUDA_VISIBLE_DEVICES": "3",
        "LLAMA_API_KEY": "the-secret",
        "LLAMA_ARG_BACKEND_SAMPLING": "1",
        "LLAMA_ARG_CACHE_RAM": "0",
        "LLAMA_ARG_FIT": "off",
        "LLAMA_ARG_N_GPU_LAYERS": "999",
    }
    assert spec.argv[spec.argv.index("--threads") + 1] == "1"


def test_every_engine_of_the_catalogue_can_be_launched() -> None:
    """An engine in TOML without a launcher would be planned and never start."""
    assert {engine.launcher for engine in CATALOG.engines.values()} <= set(LAUNCHERS)
