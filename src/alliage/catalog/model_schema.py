"""The shape of models/*.toml (Pydantic), and how a read file becomes its frozen record."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from alliage.catalog.fields import Count, Entry, Id, Line, Size, Text
from alliage.catalog.records import (
    Architecture,
    Attention,
    AttentionKind,
    ModelCard,
    Published,
    Task,
    WeightFile,
    Weights,
    WeightsFormat,
)

Number = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Parameters = Annotated[int, Field(strict=True, ge=0, le=10**14)]
Rounded = Annotated[str, StringConstraints(pattern=r"^(\d+(\.\d+)?[MBT]|\d+)?$")]

_SOURCE: Final = re.compile(r"pypi:[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+|hf:[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|file:/.+")
_NEEDED: Final = {
    AttentionKind.FULL: ("kv_heads", "head_dim"),
    AttentionKind.SLIDING: ("kv_heads", "head_dim", "window_tokens"),
    AttentionKind.LATENT: ("latent_dim",),
    AttentionKind.LINEAR: ("state_values",),
}


class AttentionTable(Entry):
    """[[architecture.attention]] of models/*.toml."""

    kind: AttentionKind
    layers: Count
    kv_heads: Number = 0
    head_dim: Number = 0
    window_tokens: Number = 0
    latent_dim: Number = 0
    tokens_per_entry: Number = 1
    index_heads: Number = 0
    index_dim: Number = 0
    attended_tokens: Number = 0
    state_values: Number = 0

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if missing := [name for name in _NEEDED[self.kind] if not getattr(self, name)]:
            raise ValueError(f"{self.kind} attention needs {' and '.join(missing)}")
        return self

    def to_record(self) -> Attention:
        """The group of layers."""
        return Attention(
            kind=self.kind,
            layers=self.layers,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            window_tokens=self.window_tokens,
            latent_dim=self.latent_dim,
            tokens_per_entry=self.tokens_per_entry,
            index_heads=self.index_heads,
            index_dim=self.index_dim,
            attended_tokens=self.attended_tokens,
            state_values=self.state_values,
        )


class ArchitectureTable(Entry):
    """[architecture] of models/*.toml."""

    family: Text
    parameters: Parameters
    active_parameters: Parameters = 0
    embedding_parameters: Parameters = 0
    experts: Number = 0
    experts_used: Number = 0
    attention: tuple[AttentionTable, ...] = ()
    layers: Count
    hidden: Count
    heads: Count
    kv_heads: Count
    head_dim: Count
    vocabulary: Count
    context_tokens: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        told = sum(group.layers for group in self.attention)
        if self.attention and told != self.layers:
            raise ValueError(f"attention is told of {told} layers and there are {self.layers}")
        if self.experts_used > self.experts:
            raise ValueError(f"experts_used is {self.experts_used} of {self.experts} experts")
        if max(self.active_parameters, self.embedding_parameters) > self.parameters > 0:
            raise ValueError("active_parameters and embedding_parameters are parts of parameters, and cannot be more")
        return self

    def to_record(self) -> Architecture:
        """The architecture."""
        return Architecture(
            family=self.family,
            parameters=self.parameters,
            active_parameters=self.active_parameters,
            embedding_parameters=self.embedding_parameters,
            experts=self.experts,
            experts_used=self.experts_used,
            attention=tuple(group.to_record() for group in self.attention),
            layers=self.layers,
            hidden=self.hidden,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            vocabulary=self.vocabulary,
            context_tokens=self.context_tokens,
        )


class WeightFileTable(Entry):
    """[[weights.files]] of models/*.toml."""

    path: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\\]+$", max_length=500)]
    size_bytes: Size
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        if any(part in {"", ".", ".."} for part in self.path.split("/")):
            raise ValueError("path must name a file inside the source, without `..`")
        return self


class WeightsTable(Entry):
    """[weights] of models/*.toml. A model of the hub may leave files and revision out: they are learned there."""

    source: str
    revision: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40})?$")] = ""
    format: WeightsFormat
    files: tuple[WeightFileTable, ...] = ()

    @model_validator(mode="after")
    def _is_pinned(self) -> Self:
        if _SOURCE.fullmatch(self.source) is None:
            raise ValueError("source must be pypi:NAME==VERSION, hf:ORG/NAME or file:/PATH")
        on_hub = self.source.startswith("hf:")
        if not self.files and not on_hub:
            raise ValueError("files must name each file with its size and hash (only with hf: they may be left out)")
        if bool(self.revision) != (on_hub and bool(self.files)):
            raise ValueError("revision must be the hub commit (40 hex digits) with hf: and files, and absent elsewhere")
        return self

    def to_record(self) -> Weights:
        """The weights."""
        return Weights(
            source=self.source,
            revision=self.revision,
            format=self.format,
            files=tuple(
                WeightFile(path=file.path, size_bytes=file.size_bytes, sha256=file.sha256) for file in self.files
            ),
        )


class PublishedTable(Entry):
    """[published] of models/*.toml: the maker's figures as they were written, `8.2B` or in full."""

    parameters: Annotated[Rounded, StringConstraints(min_length=1)]
    active_parameters: Rounded = ""
    active_leaves_out: tuple[Literal["embedding", "head"], ...] = ()
    source: Text

    def to_record(self) -> Published:
        """The figures."""
        return Published(
            parameters=self.parameters,
            active_parameters=self.active_parameters,
            active_leaves_out=self.active_leaves_out,
            source=self.source,
        )


class ModelFile(Entry):
    """models/*.toml. `config` repeats what the model's config.json says: the counts are checked against it."""

    id: Id
    name: Text
    licence: Text
    precision: Text
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    sources: tuple[Line, ...] = ()
    architecture: ArchitectureTable
    weights: WeightsTable
    published: PublishedTable | None = None
    config: dict[str, object] = Field(default_factory=dict)

    def to_record(self) -> ModelCard:
        """The model card. Code that comes with weights is never allowed by a file: an admin allows it by asking."""
        return ModelCard(
            id=self.id,
            name=self.name,
            licence=self.licence,
            precision=self.precision,
            tasks=self.tasks,
            architecture=self.architecture.to_record(),
            weights=self.weights.to_record(),
            remote_code=False,
            sources=self.sources,
            published=self.published.to_record() if self.published else None,
        )
