"""SGLang: a replica -> how to start its OpenAI server. Pure.

Arguments: SGLang's documentation, "Server Arguments". Its key is an argument only, so all of them go by a file (JSON is
YAML), which nobody else may read.
"""

import json
from typing import Final

from alliage.engines.devices import container_of, visible_devices
from alliage.engines.launch import CONFIG_NAME, LaunchSpec, Surroundings
from alliage.engines.torch_types import torch_type
from alliage.errors import BadInput
from alliage.fleet.replicas import Replica

READY_BASE_S: Final = 900.0
LOAD_BYTES_PER_S: Final = 50_000_000
SLEEP_PATH: Final = "/release_memory_occupation"
WAKE_PATH: Final = "/resume_memory_occupation"
_SLEEPS: Final = {"enable-memory-saver": True, "enable-weights-cpu-backup": True}
"""Its documentation, "SGLang for RL Systems": without the backup what it wakes with is no weights."""
_QUIET: Final = {"HF_HUB_OFFLINE": "1"}


def launch_spec(
    replica: Replica,
    *,
    model_path: str,
    alias: str,
    program: str,
    python: str,  # noqa: ARG001 - that of the agent; SGLang has its own
    host: str,
    port: int,
    key: str,
    embed: bool,
    surroundings: Surroundings | None = None,
) -> LaunchSpec:
    """How to start `replica` on the folder `model_path`; `program` is the Python that has SGLang.

    Raises BadInput when nothing is known of SGLang on the stack, or no image where a container is asked for.
    """
    if surroundings is None:
        raise BadInput("nothing is known of SGLang on this chip", remedy="add an [[on]] table to engines/sglang.toml")
    facts = surroundings.facts
    sleeps = facts.sleeps.value is True
    container = container_of(replica, surroundings, engine="sglang", model_path=model_path, config=True)
    settings = {
        "model-path": model_path,
        "served-model-name": alias,
        "host": host,
        "port": port,
        "api-key": key,
        **_sizes(replica),
        "enable-cache-report": True,  # else nobody is told what of a prompt was cached
        "dtype": torch_type(replica.recipe.precision, facts, replica.recipe.chip),
        **({"is-embedding": True} if embed else {}),
        **(_SLEEPS if sleeps else {}),
    }
    config_path = f"{surroundings.folder}/{CONFIG_NAME}"
    return LaunchSpec(
        argv=(
            *("python3" if container else program, "-m", "sglang.launch_server", "--config", config_path),
            *facts.arguments,
        ),
        environment={**_QUIET, **facts.environment, **visible_devices(replica, surroundings)},
        cores=tuple(core for binding in replica.bindings for core in binding.cores),
        host=host,
        port=port,
        ready_path="/health",
        ready_within_s=READY_BASE_S + replica.recipe.memory_bytes // LOAD_BYTES_PER_S,
        config=json.dumps(settings, indent=1),
        container=container,
        sleep_path=SLEEP_PATH if sleeps else "",
        wake_path=WAKE_PATH if sleeps else "",
    )


def _sizes(replica: Replica) -> dict[str, int]:
    recipe = replica.recipe
    return {
        "context-length": recipe.context_tokens,
        "max-running-requests": recipe.concurrency,
        "tensor-parallel-size": recipe.tensor_parallel,
        "pipeline-parallel-size": recipe.pipeline_parallel,
    }
