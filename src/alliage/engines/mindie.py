"""MindIE: a replica -> how to start its server on Ascend. Pure.

The configuration is MindIE's `config.json`: hiascend.com, "Configuration Parameters (Service-Specific)", MindIE 2.3.
It knows no API key: it must listen where nobody else can speak to it.
"""

import json
from typing import Final

from alliage.engines.devices import bound_indices, container_of, visible_devices
from alliage.engines.launch import CONFIG_NAME, LaunchSpec, Surroundings
from alliage.errors import BadInput
from alliage.fleet.replicas import Replica

READY_BASE_S: Final = 900.0
LOAD_BYTES_PER_S: Final = 50_000_000
IN_IMAGE: Final = "mindie_llm_server"
LOOPBACK: Final = ("127.0.0.1", "::1")
_LOGS: Final = {"MINDIE_LOG_TO_STDOUT": "1", "MINDIE_LOG_TO_FILE": "0"}


def launch_spec(
    replica: Replica,
    *,
    model_path: str,
    alias: str,
    program: str,
    python: str,  # noqa: ARG001 - MindIE is a program of its own
    host: str,
    port: int,
    key: str,  # noqa: ARG001 - MindIE asks for none
    embed: bool,
    surroundings: Surroundings | None = None,
) -> LaunchSpec:
    """How to start `replica` on the folder `model_path`; `program` is `mindie_llm_server` or `mindieservice_daemon`.

    Raises BadInput for a model that embeds, for an address that others can reach, when nothing is known of the stack,
    or no image where a container is asked for.
    """
    if surroundings is None or embed:
        raise BadInput("MindIE serves chat on Ascend only", remedy="choose another engine for this model or chip")
    if host not in LOOPBACK:
        raise BadInput(
            f"MindIE asks for no key and would listen on {host}", remedy="let engines of this node listen on 127.0.0.1"
        )
    facts = surroundings.facts
    container = container_of(replica, surroundings, engine="mindie", model_path=model_path, config=True)
    indices = bound_indices(replica)
    return LaunchSpec(
        argv=(IN_IMAGE if container else program, *facts.arguments),
        environment={
            **_LOGS,
            **facts.environment,
            **visible_devices(replica, surroundings),
            "MIES_CONFIG_JSON_PATH": f"{surroundings.folder}/{CONFIG_NAME}",
        },
        cores=tuple(core for binding in replica.bindings for core in binding.cores),
        host=host,
        port=port,
        ready_path="/v1/models",
        ready_within_s=READY_BASE_S + replica.recipe.memory_bytes // LOAD_BYTES_PER_S,
        config=json.dumps(
            {
                "Version": "1.0.0",
                "ServerConfig": _server(host, port),
                # The device files of a container are numbered anew from 0 inside it.
                "BackendConfig": _backend(
                    replica, model_path, alias, range(len(indices)) if container is not None else indices
                ),
            },
            indent=1,
        ),
        container=container,
    )


def _server(host: str, port: int) -> dict[str, object]:
    return {
        "ipAddress": host,
        "managementIpAddress": host,
        "port": port,
        "managementPort": port,
        "metricsPort": port,
        "maxLinkNum": 1000,
        "httpsEnabled": False,
        "interCommTLSEnabled": False,
        "openAiSupport": "openai",
    }


def _backend(replica: Replica, model_path: str, alias: str, devices: range | tuple[int, ...]) -> dict[str, object]:
    recipe = replica.recipe
    context = recipe.context_tokens
    model = {
        "modelInstanceType": "Standard",
        "modelName": alias,
        "modelWeightPath": model_path,
        "worldSize": len(devices),
        "cpuMemSize": 5,
        "npuMemSize": -1,
        "backendType": "atb",
        "trustRemoteCode": False,
    }
    return {
        "backendName": "mindieservice_llm_engine",
        "npuDeviceIds": [list(devices)],
        "multiNodesInferEnabled": False,
        "interNodeTLSEnabled": False,
        "ModelDeployConfig": {
            "maxSeqLen": context,
            "maxInputTokenLen": context,
            "truncation": False,
            "ModelConfig": [model],
        },
        "ScheduleConfig": {
            "maxPrefillTokens": context,
            "maxIterTimes": context,
            "maxBatchSize": recipe.concurrency,
            "maxPrefillBatchSize": recipe.concurrency,
            "cacheBlockSize": 128,
        },
    }
