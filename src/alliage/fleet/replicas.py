"""Recipes, bindings and replicas: how a model runs, on what, and how far it is."""

from dataclasses import dataclass
from enum import StrEnum

from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase


class Evidence(StrEnum):
    """How a recipe's figures are known."""

    ESTIMATED = "estimated"
    REHEARSED = "rehearsed"
    MEASURED = "measured"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to run one model on one chip.

    `context_tokens` is what each of `concurrency` requests may hold; `cores` is 0 where a device is given whole;
    `memory_bytes` is the footprint over all its `devices`.
    """

    model: str
    chip: str
    engine: str
    precision: str
    tensor_parallel: int
    pipeline_parallel: int
    context_tokens: int
    concurrency: int
    cores: int
    memory_bytes: int
    evidence: Evidence

    @property
    def devices(self) -> int:
        """Devices that one replica takes."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def device_bytes(self) -> int:
        """What each of them holds of the memory, rounded up to a byte."""
        return -(-self.memory_bytes // self.devices)


def recipe_words(engine: str, precision: str, *, chip: str, devices: int, cores: int) -> str:
    """A recipe in a few words: `vllm bf16 on 4 x nvidia-h20`, `llama-cpp Q4_1 on 2 cores of cpu-x86`."""
    on = f"{cores} {'core' if cores == 1 else 'cores'} of {chip}" if cores else f"{devices} x {chip}"
    return f"{engine} {precision} on {on}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A part of one device given to one replica. `cores` are core ids, empty where the device is given whole."""

    device: DeviceId
    cores: tuple[int, ...]
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One engine of a service, desired and bound. What really runs is in the agent's report."""

    id: ReplicaId
    service: ServiceName
    node: NodeId
    recipe: Recipe
    bindings: tuple[Binding, ...]
    phase: ReplicaPhase
    starts: int
    """How many of its engines have ended by themselves; the engine that runs or comes next is attempt `starts + 1`."""
    failures: int
    """How many of them in a row ended before they had been ready for a minute: what back-off grows with."""
    retry_s: float
    """Wall-clock seconds at which `backoff` ends; 0 elsewhere."""
    note: str
    """What a person should know now, such as the last error; may be empty."""
    created_s: float
    bed: tuple[Binding, ...] = ()
    """Of one that is asleep: what it is bound to again when it wakes. It has no bindings meanwhile."""
    host_bytes: int = 0
    """What its sleep takes of the node's own memory, from before it falls asleep until it is ready again."""
