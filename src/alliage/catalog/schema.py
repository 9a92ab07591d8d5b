"""The shape of the catalogue's files (Pydantic), and the functions that turn a read file into its frozen record.

Ranges here are sanity bounds: a typing mistake is caught in the file, not in a decision made from it.
"""

import re
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from alliage.catalog.records import (
    Architecture,
    Chip,
    Engine,
    ModelCard,
    Sharing,
    Stack,
    Task,
    WeightFile,
    Weights,
    WeightsFormat,
)

TIB: Final = 1024**4

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=63)]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$", max_length=200)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$", max_length=200)]
Count = Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
Size = Annotated[int, Field(strict=True, gt=0, le=1024 * TIB)]

_SOURCE: Final = re.compile(r"pypi:[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+|hf:[A-Za-z0-9._-]+/[A-Za-z0-9._-]+|file:/.+")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StackFile(_Entry):
    """stacks/*.toml."""

    id: Id
    maker: Text
    name: Text
    torch_device: Text
    visible_devices: Line
    pci_vendor: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{4})?$")]

    def to_record(self) -> Stack:
        """The stack."""
        return Stack(
            id=self.id,
            maker=self.maker,
            name=self.name,
            torch_device=self.torch_device,
            visible_devices=self.visible_devices,
            pci_vendor=self.pci_vendor,
        )


class ChipFile(_Entry):
    """chips/*.toml."""

    id: Id
    maker: Text
    name: Text
    stack: Id
    sharing: Sharing
    machines: tuple[Text, ...] = ()

    def to_record(self) -> Chip:
        """The chip."""
        return Chip(
            id=self.id,
            maker=self.maker,
            name=self.name,
            stack=self.stack,
            sharing=self.sharing,
            machines=self.machines,
        )


class EngineFile(_Entry):
    """engines/*.toml."""

    id: Id
    name: Text
    formats: Annotated[tuple[WeightsFormat, ...], Field(min_length=1)]
    stacks: Annotated[tuple[Id, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    overhead_bytes: Size
    slots: Annotated[int, Field(strict=True, gt=0, le=4096)]
    context_tokens_max: Count

    def to_record(self) -> Engine:
        """The engine."""
        return Engine(
            id=self.id,
            name=self.name,
            formats=self.formats,
            stacks=self.stacks,
            tasks=self.tasks,
            overhead_bytes=self.overhead_bytes,
            slots=self.slots,
            context_tokens_max=self.context_tokens_max,
        )


class ArchitectureTable(_Entry):
    """[architecture] of models/*.toml."""

    family: Text
    parameters: Annotated[int, Field(strict=True, ge=0, le=10**14)]
    layers: Count
    hidden: Count
    heads: Count
    kv_heads: Count
    head_dim: Count
    vocabulary: Count
    context_tokens: Count

    def to_record(self) -> Architecture:
        """The architecture."""
        return Architecture(
            family=self.family,
            parameters=self.parameters,
            layers=self.layers,
            hidden=self.hidden,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            vocabulary=self.vocabulary,
            context_tokens=self.context_tokens,
        )


class WeightFileTable(_Entry):
    """[[weights.files]] of models/*.toml."""

    path: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\\]+$", max_length=500)]
    size_bytes: Size
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        if any(part in {"", ".", ".."} for part in self.path.split("/")):
            raise ValueError("path must name a file inside the source, without `..`")
        return self


class WeightsTable(_Entry):
    """[weights] of models/*.toml."""

    source: str
    revision: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40})?$")] = ""
    format: WeightsFormat
    files: Annotated[tuple[WeightFileTable, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_pinned(self) -> Self:
        if _SOURCE.fullmatch(self.source) is None:
            raise ValueError("source must be pypi:NAME==VERSION, hf:ORG/NAME or file:/PATH")
        if self.source.startswith("hf:") != bool(self.revision):
            raise ValueError("revision must be the hub commit (40 hex digits) with hf:, and absent elsewhere")
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


class ModelFile(_Entry):
    """models/*.toml."""

    id: Id
    name: Text
    licence: Text
    precision: Text
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    architecture: ArchitectureTable
    weights: WeightsTable

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
        )
