"""vLLM, in tree or by a platform plugin: a replica -> how to start its OpenAI server. Pure.

Arguments and variables: vLLM's documentation, "Server arguments", "Engine arguments" and "Environment variables"; what
a platform needs beside them are facts of the catalogue (`[[on]]`).
"""

from typing import Final

from alliage.engines.devices import container_of, visible_devices
from alliage.engines.launch import LaunchSpec, Surroundings
from alliage.engines.torch_types import torch_type
from alliage.errors import BadInput
from alliage.fleet.replicas import Replica

READY_BASE_S: Final = 900.0
"""Compiling and capturing graphs takes minutes; 51 to 127 s were seen on a CPU without either."""
LOAD_BYTES_PER_S: Final = 50_000_000
"""A slow disk; it only makes the time after which a start counts as failed longer for larger models."""
CPU: Final = "cpu"
CPU_BLOCK_TOKENS: Final = 128
"""Tokens of a cache block on CPUs (vLLM 0.32, `platforms/cpu.py`)."""
SLEEP_PATH: Final = "/sleep?level=1"
"""Level 1 keeps the weights in the node's memory (vLLM's documentation, "Sleep Mode")."""
WAKE_PATH: Final = "/wake_up"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_QUIET: Final = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
"""No reports to anybody, and no look at the hub: all that is needed lies in the model's folder."""


def launch_spec(
    replica: Replica,
    *,
    model_path: str,
    alias: str,
    program: str,
    python: str,  # noqa: ARG001 - that of the agent; vLLM has its own
    host: str,
    port: int,
    key: str,
    embed: bool,
    surroundings: Surroundings | None = None,
) -> LaunchSpec:
    """How to start `replica` on the folder `model_path`; `program` is the Python that has vLLM.

    Raises BadInput when nothing is known of vLLM on the stack, or no image where a container is asked for.
    """
    if surroundings is None:
        raise BadInput("nothing is known of vLLM on this chip", remedy="add an [[on]] table to engines/vllm.toml")
    recipe, facts = replica.recipe, surroundings.facts
    container = container_of(replica, surroundings, engine="vllm", model_path=model_path, config=False)
    on_cpu = surroundings.stack.torch_device == CPU
    arguments, environment = _cpu(replica, surroundings) if on_cpu else ((), {})
    sleeps = facts.sleeps.value is True and host in _LOOPBACK  # its development server asks for no key
    return LaunchSpec(
        argv=(
            *("python3" if container else program, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", model_path, "--served-model-name", alias, "--host", host, "--port", str(port)),
            *_sizes(replica),
            *("--dtype", torch_type(recipe.precision, facts, recipe.chip), "--disable-uvicorn-access-log"),
            "--enable-prompt-tokens-details",  # else nobody is told what of a prompt was cached
            *(("--runner", "pooling") if embed else ()),
            *(("--enable-sleep-mode",) if sleeps else ()),
            *arguments,
            *facts.arguments,
        ),
        environment={
            **_QUIET,
            "VLLM_HOST_IP": host,
            **environment,
            **({"VLLM_SERVER_DEV_MODE": "1"} if sleeps else {}),
            **facts.environment,
            **visible_devices(replica, surroundings),
            "VLLM_API_KEY": key,
        },
        cores=tuple(core for binding in replica.bindings for core in binding.cores),
        host=host,
        port=port,
        ready_path="/health",
        ready_within_s=READY_BASE_S + recipe.memory_bytes // LOAD_BYTES_PER_S,
        container=container,
        sleep_path=SLEEP_PATH if sleeps else "",
        wake_path=WAKE_PATH if sleeps else "",
    )


def _sizes(replica: Replica) -> tuple[str, ...]:
    recipe = replica.recipe
    return (
        *("--max-model-len", str(recipe.context_tokens), "--max-num-seqs", str(recipe.concurrency)),
        *("--tensor-parallel-size", str(recipe.tensor_parallel)),
        *("--pipeline-parallel-size", str(recipe.pipeline_parallel)),
    )


def _cpu(replica: Replica, surroundings: Surroundings) -> tuple[tuple[str, ...], dict[str, str]]:
    """On a shared machine it gets the cache of its recipe, with a block more for each request and one that vLLM keeps.

    Affinity is set from outside, so vLLM must not bind its threads to cores of its own choice.
    """
    recipe = replica.recipe
    blocks = -(-recipe.context_tokens // CPU_BLOCK_TOKENS) * recipe.concurrency
    cache_bytes = -(-surroundings.kv_cache_bytes * (blocks + recipe.concurrency + 1) // blocks)
    return ("--kv-cache-memory-bytes", str(cache_bytes)), {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(max(recipe.cores, 1)),
    }
