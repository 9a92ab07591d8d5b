"""What fields of the catalogue's files may hold, and the form that a file's entry and a fact have. No entry itself.

Ranges here are sanity bounds: a typing mistake is caught in the file, not in a decision made from it.
"""

from typing import Annotated, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from alliage.catalog.records import Confidence, Fact

Value = TypeVar("Value")

TIB: Final = 1024**4
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=63)]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$", max_length=200)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$", max_length=200)]
Note = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$", max_length=1000)]
Count = Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
Size = Annotated[int, Field(strict=True, gt=0, le=1024 * TIB)]


class Entry(BaseModel):
    """A table of a catalogue file: a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FactTable(Entry, Generic[Value]):
    """`{ value = 4000, confidence = "vendor", source = "..." }`; `{ confidence = "unknown" }` where nobody knows."""

    value: Value | None = None
    confidence: Confidence
    source: Line = ""

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if self.value is None and self.confidence is not Confidence.UNKNOWN:
            raise ValueError(f"the confidence is {self.confidence} but there is no value: add it, or write unknown")
        if self.value is not None and self.confidence is Confidence.UNKNOWN:
            raise ValueError("there is a value of unknown confidence: write vendor, press or community, or take it out")
        if self.value is not None and not self.source.strip():
            raise ValueError("there is a value without a source: say where it was read")
        return self

    def to_fact(self) -> Fact[Value]:
        """The fact."""
        return Fact(value=self.value, confidence=self.confidence, source=self.source)
