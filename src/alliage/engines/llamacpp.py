"""llama.cpp: a replica -> how to start it, as the bundled library or as a `llama-server` program. Pure."""

from typing import Final

from alliage.engines.devices import visible_devices
from alliage.engines.launch import Launch, LaunchSpec, Surroundings
from alliage.errors import BadInput
from alliage.fleet.replicas import Replica

BUNDLED: Final = "bundled"
HTTP_THREADS_SPARE: Final = 512
"""As in the bundled launcher: requests that wait for a slot hold a thread each, and /health must still answer."""
READY_BASE_S: Final = 120.0
ALL_LAYERS: Final = "999"
"""More than any model has; older programs offload none unless they are told."""
LOAD_BYTES_PER_S: Final = 50_000_000
"""A slow disk; it only makes the time after which a start counts as failed longer for larger models."""


def launch_spec(
    replica: Replica,
    *,
    model_path: str,
    alias: str,
    program: str,
    python: str,
    host: str,
    port: int,
    key: str,
    embed: bool,
    surroundings: Surroundings | None = None,
) -> LaunchSpec:
    """How to start `replica` on the file `model_path`.

    `program` is `bundled` (then `python` runs the launcher) or the path of a `llama-server`. Raises BadInput when a
    container is asked for: this launcher only starts processes.
    """
    if surroundings is not None and surroundings.launch is Launch.CONTAINER:
        raise BadInput("llama.cpp is started as a process only", remedy='set launch = "process" in [agent]')
    recipe = replica.recipe
    slots, context = recipe.concurrency, recipe.context_tokens * recipe.concurrency
    where = ("--model", model_path, "--alias", alias, "--host", host, "--port", str(port))
    shown = visible_devices(replica, surroundings) if surroundings is not None else {}
    if program == BUNDLED:
        argv, environment = _bundled(python, where, slots, context, recipe.cores, embed=embed), _bundled_secret(key)
    else:
        argv = _program(program, where, slots, context, recipe.cores, embed=embed)
        environment = _program_settings(key, on_cpu=any(binding.cores for binding in replica.bindings))
    return LaunchSpec(
        argv=argv,
        environment={**_facts(surroundings), **environment, **shown},
        cores=tuple(core for binding in replica.bindings for core in binding.cores),
        host=host,
        port=port,
        ready_path="/health",
        ready_within_s=READY_BASE_S + recipe.memory_bytes // LOAD_BYTES_PER_S,
    )


def _facts(surroundings: Surroundings | None) -> dict[str, str]:
    return dict(surroundings.facts.environment) if surroundings is not None else {}


def _bundled(
    python: str, where: tuple[str, ...], slots: int, context: int, cores: int, *, embed: bool
) -> tuple[str, ...]:
    sizes = ("--slots", str(slots), "--context", str(context), "--threads", str(max(cores, 1)))
    module = (python, "-m", "alliage.runtimes.llama_server")
    return (*module, *where, *sizes, *(("--embed",) if embed else ()))


def _bundled_secret(key: str) -> dict[str, str]:
    return {"ALLIAGE_REPLICA_KEY": key}


def _program(
    program: str, where: tuple[str, ...], slots: int, context: int, cores: int, *, embed: bool
) -> tuple[str, ...]:
    threads = str(max(cores, 1))
    sizes = ("--parallel", str(slots), "--ctx-size", str(context), "--threads", threads, "--threads-batch", threads)
    http = ("--threads-http", str(slots + HTTP_THREADS_SPARE), "--metrics", "--slots")
    batch = str(context // slots)
    pooled = ("--embeddings", "--batch-size", batch, "--ubatch-size", batch) if embed else ()
    return (program, *where, *sizes, *http, "--cont-batching", "--jinja", *pooled)


def _program_settings(key: str, *, on_cpu: bool) -> dict[str, str]:
    """By environment: the key, which must not be seen, and what an older program may not know and then ignores.

    A program that was built for accelerators takes every one it finds, also for a replica that was given cores only.
    """
    shown = {"LLAMA_ARG_DEVICE": "none"} if on_cpu else {"LLAMA_ARG_N_GPU_LAYERS": ALL_LAYERS}
    return {"LLAMA_API_KEY": key, "LLAMA_ARG_CACHE_RAM": "0", "LLAMA_ARG_FIT": "off", **shown}
