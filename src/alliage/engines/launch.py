"""LaunchSpec: everything needed to start one engine, as a value; and what a launcher is told beside the replica."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alliage.catalog.records import ContainerPolicy, Mount, OnStack, Stack

CONFIG_NAME: Final = "engine-config.json"
"""The name, in the replica's folder, of the file that holds a spec's `config`."""


class Launch(StrEnum):
    """How engines are started on a node."""

    PROCESS = "process"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a launch depends on beside the replica: its stack, the engine's facts there, and the node's ways.

    `folder` is the replica's own on the node, an absolute path. `kv_cache_bytes` is what its recipe needs of KV cache
    over all devices.
    """

    stack: Stack
    facts: OnStack
    launch: Launch
    folder: str
    kv_cache_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What an engine's container is made of; `mounts` are at the same path inside. It is on the host's network."""

    image: str
    policy: ContainerPolicy
    runtime: str
    """The container runtime to ask for; "" for the default one."""
    devices: tuple[str, ...]
    mounts: tuple[Mount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """How to start an engine and how to know that it is ready.

    `environment` is added to a small clean one; the replica's secret key is in it or in `config`, never in `argv`.
    `cores` is the CPU affinity, empty for all. `ready_path` answers 200 when the engine can serve;
    `ready_within_s` is how long it may take before it counts as failed. `config` is the text of a file that the
    engine reads at `folder/CONFIG_NAME`, "" for none. With a `container`, `argv` is run inside it.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cores: tuple[int, ...]
    host: str
    port: int
    ready_path: str
    ready_within_s: float
    config: str = ""
    container: Container | None = None
    sleep_path: str = ""
    """A POST there lets it sleep, one to `wake_path` wakes it; each answers 200 when it is done. "": it cannot sleep."""
    wake_path: str = ""
