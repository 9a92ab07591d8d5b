"""The shape of engines/*.toml (Pydantic), and how a read file becomes its frozen record.

Ranges here are sanity bounds: a typing mistake is caught in the file, not in a decision made from it.
"""

from typing import Annotated

from pydantic import Field

from alliage.catalog.fields import Count, Entry, Id, Size, Text
from alliage.catalog.records import (
    Engine,
    Task,
    WeightsFormat,
)


class EngineFile(Entry):
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
