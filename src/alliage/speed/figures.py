"""The figures of a chip and of a model that speed depends on, and the named functions that take them from the catalogue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Architecture, Attention, AttentionKind, Chip, Precision
from alliage.units import GIB

CARD_SHARE: Final = 0.9955
"""What a driver reports of the memory on a data sheet, read in GiB: 81559 MiB of 80 (H100), 97871 of 96 (H20), 143771 of
141 (H200), as nvidia-smi prints them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFigures:
    """One device. Bytes, bytes/s and dense operations/s; None and absent precisions are unknown, never zero."""

    id: str
    kind: str
    """Stack, and whether it has graphics memory: chips of one kind are likely to be used alike well."""
    stack: str
    memory_bytes: float | None
    bandwidth: float | None
    flops: Mapping[Precision, float]
    cores: int = 0
    """Of a CPU; 0 for a device that is given whole."""
    core_bandwidth: float | None = None
    """What one core of a CPU draws of the bandwidth."""
    host_link: float | None = None
    """Between the device and its node's memory, one way, as its PCI Express is specified."""

    @property
    def is_large(self) -> bool:
        """At least 70 GiB and FP8 units: what engines take larger steps on (`large` figures of serving.toml)."""
        return (self.memory_bytes or 0) >= 70 * GIB and Precision.FP8 in self.flops


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Layers that attend alike; values are summed over the layers.

    An entry is what is kept of a token: each of the last `window_tokens`, and `outside` of a token before those (1 for
    full attention, 0 for sliding windows, 1 / 4 where four tokens share one).
    """

    kv_values: float
    """Keys and values an entry."""
    query_values: float
    """Width of a token's query."""
    window_tokens: int = 0
    outside: float = 1.0
    attended: float = 0.0
    """The most entries one token attends to (sparse attention); 0: all."""
    index_values: float = 0.0
    """Values an entry by which those are chosen."""
    index_query_values: float = 0.0

    def entries(self, context_tokens: float) -> float:
        """Entries kept of so many tokens."""
        return min(context_tokens, self.window_tokens) + max(0.0, context_tokens - self.window_tokens) * self.outside

    def seen(self, context_tokens: float) -> float:
        """Entries that a token after so many attends to."""
        entries = self.entries(context_tokens)
        return min(entries, self.attended) if self.attended else entries


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One model. `embedding` is the input table that is looked up, not read through (0 when it is also the head)."""

    id: str
    parameters: float
    active: float
    embedding: float
    layers: int
    experts: int
    experts_used: int
    spans: tuple[Span, ...]
    state_values: float
    """Values a sequence keeps whatever its length (linear attention)."""

    @property
    def is_sparse(self) -> bool:
        """Whether only some experts work on a token."""
        return 0 < self.experts_used < self.experts

    @property
    def attends(self) -> str:
        """What sets its attention apart: `linear` layers, `sparse` choice of entries, or `dense`."""
        if self.state_values:
            return "linear"
        return "sparse" if any(span.attended for span in self.spans) else "dense"

    def kept_values(self, context_tokens: float) -> float:
        """What a sequence of this length keeps in the KV cache, without its state."""
        return sum(span.entries(context_tokens) * (span.kv_values + span.index_values) for span in self.spans)

    def read_values(self, context_tokens: float) -> float:
        """What of that its next token reads."""
        return sum(
            span.seen(context_tokens) * span.kv_values + span.entries(context_tokens) * span.index_values
            for span in self.spans
        )

    def query_pairs(self, prompt_tokens: float) -> float:
        """Products of a query and a key value, over a prompt whose tokens see half of it in the mean (causal)."""
        half = prompt_tokens / 2
        return prompt_tokens * sum(
            span.seen(half) * span.query_values + span.entries(half) * span.index_query_values for span in self.spans
        )


_LANE_BYTES_PER_S: Final = {"3.0": 0.985e9, "4.0": 1.969e9, "5.0": 3.938e9, "6.0": 7.563e9}
"""One way, less what the encoding takes (PCI Express specifications; 8, 16, 32, 64 GT/s a lane)."""
_LANES: Final = 16
_LINK: Final = re.compile(r"([3-6]\.0)(?: x(\d+))?")


def host_link(pcie: str | None) -> float | None:
    """Bytes/s one way of a link such as `5.0 x16` or `4.0` (sixteen lanes are taken then); None where it says no such thing."""
    found = _LINK.match(pcie or "")
    return None if found is None else _LANE_BYTES_PER_S[found[1]] * int(found[2] or _LANES)


def chip_figures(chip: Chip) -> ChipFigures:
    """Of one device (die) of the chip: a board's memory, bandwidth and FLOPS are shared by its dies."""
    dies = max(1, chip.dies)
    memory, bandwidth = chip.memory_gb.value, chip.bandwidth_gbs.value
    return ChipFigures(
        id=chip.id,
        kind=_kind(chip),
        stack=chip.stack,
        memory_bytes=None if not memory else memory * GIB * CARD_SHARE / dies,
        bandwidth=None if not bandwidth else bandwidth * 1e9 / dies,
        flops={precision: fact.value * 1e12 / dies for precision, fact in chip.tflops.items() if fact.value},
        host_link=None if (link := host_link(chip.pcie.value)) is None else link / dies,
    )


def node_figures(chip: Chip, told: Mapping[str, float], *, cores: int) -> ChipFigures:
    """Of a device that a node has: what it told of itself (`Device.figures`), and what the catalogue says of its chip.

    Compute and bandwidth are those of all `cores`; `of_cores` cuts them to a part.
    """
    known = chip_figures(chip)
    flops = {precision: told[precision.value] for precision in Precision if told.get(precision.value, 0.0) > 0}
    return replace(
        known,
        bandwidth=told.get("bandwidth") or known.bandwidth,
        flops={**known.flops, **flops},
        cores=cores,
        core_bandwidth=told.get("core_bandwidth"),
    )


def of_cores(figures: ChipFigures, cores: int) -> ChipFigures:
    """What `cores` of a CPU do: their part of its operations, and of its bandwidth what so many can draw."""
    if not figures.cores or not cores:
        return figures
    share = cores / figures.cores
    each, whole = figures.core_bandwidth, figures.bandwidth
    drawn = whole * share if whole is not None else None
    if whole is not None and each is not None:
        drawn = min(whole, each * cores)
    return replace(figures, bandwidth=drawn, flops={key: value * share for key, value in figures.flops.items()})


def _kind(chip: Chip) -> str:
    """Cards with graphics memory are another kind than the data centre's of the same maker."""
    return f"{chip.stack}-gddr" if "gddr" in (chip.memory_type.value or "").lower() else chip.stack


def model_figures(model_id: str, architecture: Architecture) -> ModelFigures:
    """Of the model's architecture. An empty `attention` is full attention in all layers."""
    spans, state = _spans(architecture)
    return ModelFigures(
        id=model_id,
        parameters=architecture.parameters,
        active=architecture.active_parameters or architecture.parameters,
        embedding=architecture.embedding_parameters,
        layers=architecture.layers,
        experts=architecture.experts,
        experts_used=architecture.experts_used,
        spans=spans,
        state_values=state,
    )


def _spans(architecture: Architecture) -> tuple[tuple[Span, ...], float]:
    if not architecture.attention:
        whole = Attention(
            kind=AttentionKind.FULL,
            layers=architecture.layers,
            kv_heads=architecture.kv_heads,
            head_dim=architecture.head_dim,
        )
        return (_span(whole, architecture),), 0.0
    attending = [group for group in architecture.attention if group.kind is not AttentionKind.LINEAR]
    linear = [group for group in architecture.attention if group.kind is AttentionKind.LINEAR]
    state = float(sum(group.state_values * group.layers for group in linear))
    return tuple(_span(group, architecture) for group in attending), state


def _span(group: Attention, architecture: Architecture) -> Span:
    width = group.head_dim or architecture.head_dim
    latent = group.kind is AttentionKind.LATENT
    kept = group.latent_dim if latent else 2 * group.kv_heads * width
    shared = 1 / group.tokens_per_entry if group.tokens_per_entry else 0.0
    return Span(
        kv_values=float(kept * group.layers),
        query_values=float(architecture.heads * width * group.layers),
        window_tokens=group.window_tokens,
        outside=0.0 if group.kind is AttentionKind.SLIDING else shared,
        attended=float(group.attended_tokens),
        index_values=float(group.index_dim * group.layers),
        index_query_values=float(group.index_heads * group.index_dim * group.layers),
    )
