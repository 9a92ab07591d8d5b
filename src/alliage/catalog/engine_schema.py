"""The shape of engines/*.toml (Pydantic), and how a read file becomes its frozen record."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from alliage.catalog.fields import Count, Entry, FactTable, Id, Line, Note, Size, Text
from alliage.catalog.records import (
    ApiPath,
    Confidence,
    Engine,
    Fact,
    Mount,
    OnStack,
    Precision,
    Serves,
    Serving,
    Task,
    WeightsFormat,
)

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=80)]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f:]*$", max_length=200)]
Degree = Annotated[int, Field(strict=True, gt=0, le=1024)]


class ServingTable(Entry):
    """[[on.precisions]]."""

    precision: Precision
    chips: tuple[Id, ...] = ()
    served: FactTable[bool]
    instead: Line = ""

    @model_validator(mode="after")
    def _instead_of_a_no(self) -> Self:
        if self.instead and self.served.value is not False:
            raise ValueError("`instead` says what to use where a precision is not served: set `served` to false")
        if self.instead.lower() == self.precision:
            raise ValueError(f"`instead` names what to use in place of {self.precision}: not {self.precision} itself")
        return self

    def to_record(self) -> Serving:
        """Whether it is served."""
        return Serving(precision=self.precision, chips=self.chips, served=self.served.to_fact(), instead=self.instead)


class MountTable(Entry):
    """[[on.mounts]]: a path of the host, seen at the same path in the container."""

    path: AbsolutePath
    writable: bool = False

    def to_record(self) -> Mount:
        """The mount."""
        return Mount(path=self.path, writable=self.writable)


class OnStackTable(Entry):
    """[[on]]: the engine on one stack."""

    stack: Id
    plugin: Line = ""
    precisions: tuple[ServingTable, ...] = ()
    tensor_parallel: FactTable[tuple[Degree, ...]] | None = None
    arguments: tuple[Text, ...] = ()
    environment: dict[Variable, Line] = Field(default_factory=dict)
    visible_devices: tuple[Variable, ...] | None = None
    container_visible: Variable | None = None
    container_runtime: Line = ""
    image: FactTable[Text] | None = None
    chip_images: dict[Id, Text] = Field(default_factory=dict)
    mounts: tuple[MountTable, ...] = ()
    sleeps: FactTable[bool] | None = None
    notes: Note = ""
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]

    def to_record(self) -> OnStack:
        """The engine on the stack."""
        unknown = Confidence.UNKNOWN
        degrees, image = self.tensor_parallel, self.image
        return OnStack(
            stack=self.stack,
            plugin=self.plugin,
            precisions=tuple(entry.to_record() for entry in self.precisions),
            tensor_parallel=degrees.to_fact() if degrees else Fact(value=None, confidence=unknown, source=""),
            arguments=self.arguments,
            environment=dict(self.environment),
            visible_devices=self.visible_devices,
            container_visible=self.container_visible or "",
            container_runtime=self.container_runtime,
            image=image.to_fact() if image else Fact(value=None, confidence=unknown, source=""),
            chip_images=dict(self.chip_images),
            mounts=tuple(mount.to_record() for mount in self.mounts),
            notes=self.notes,
            sources=self.sources,
            sleeps=self.sleeps.to_fact() if self.sleeps else Fact(value=None, confidence=unknown, source=""),
        )


class ServesTable(Entry):
    """[[serves]]: paths of its HTTP server, by one source."""

    paths: Annotated[tuple[ApiPath, ...], Field(min_length=1)]
    confidence: Confidence
    source: Text

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.confidence is Confidence.UNKNOWN:
            raise ValueError("paths of unknown confidence: write vendor, press or community, or leave them out")
        return self

    def to_record(self) -> Serves:
        """The paths."""
        return Serves(paths=self.paths, confidence=self.confidence, source=self.source)


class EngineFile(Entry):
    """engines/*.toml."""

    id: Id
    name: Text
    launcher: Id | None = None
    formats: Annotated[tuple[WeightsFormat, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    overhead_bytes: Size
    slots: Annotated[int, Field(strict=True, gt=0, le=4096)]
    context_tokens_max: Count
    pipeline_parallel: bool = False
    stacks: tuple[Id, ...] = ()
    """On which it runs without more to be said of them; the others have an [[on]] table."""
    on: tuple[OnStackTable, ...] = ()
    serves: tuple[ServesTable, ...] = ()

    @model_validator(mode="after")
    def _one_source_a_path(self) -> Self:
        paths = [path for table in self.serves for path in table.paths]
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise ValueError(f"the path {twice} is named twice in [[serves]]: leave one of them out")
        return self

    @model_validator(mode="after")
    def _one_table_a_stack(self) -> Self:
        stacks = [*self.stacks, *(table.stack for table in self.on)]
        twice = next((stack for stack in stacks if stacks.count(stack) > 1), None)
        if twice is not None:
            raise ValueError(f"the stack {twice!r} is named twice: make it one [[on]] table")
        if not stacks:
            raise ValueError("it runs on no stack: name them in `stacks`, or add [[on]] tables")
        return self

    def to_record(self) -> Engine:
        """The engine."""
        return Engine(
            id=self.id,
            name=self.name,
            launcher=self.launcher or self.id,
            formats=self.formats,
            tasks=self.tasks,
            overhead_bytes=self.overhead_bytes,
            slots=self.slots,
            context_tokens_max=self.context_tokens_max,
            pipeline_parallel=self.pipeline_parallel,
            on=tuple(table.to_record() for table in (*map(_plain, self.stacks), *self.on)),
            serves=tuple(table.to_record() for table in self.serves),
        )


def _plain(stack: str) -> OnStackTable:
    return OnStackTable(stack=stack, sources=("the engine's file names the stack without more",))
