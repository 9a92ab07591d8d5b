"""In the child: brings files of the hub here, going on where an earlier attempt was broken off."""

import os
import time
from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from alliage.catalog.records import WeightFile
from alliage.errors import WeightsError
from alliage.weights.hub import hub_errors, open_file
from alliage.weights.part import Part, check_file, place_of

ATTEMPTS: Final = 5
"""In a row without a new byte; a second's pause after the first, doubled each time."""
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


def fetch_from_hub(repository: str, revision: str, files: tuple[WeightFile, ...], part: Part) -> tuple[WeightFile, ...]:
    """Bring `files` of a repository into `part`; returns them as found."""
    with hub_errors(repository):
        return tuple(_fetch_file(repository, revision, file, part) for file in files)


def _fetch_file(repository: str, revision: str, file: WeightFile, part: Part) -> WeightFile:
    place = place_of(part.files, file.path)
    if not place.exists():
        partial = place.with_name(place.name + ".part")
        _fill(repository, revision, file, partial)
        found = check_file(partial, file)
        partial.replace(place)
        return found
    return check_file(place, file)


def _fill(repository: str, revision: str, file: WeightFile, partial: Path) -> None:
    """Ask again, from where it stands, until the file is whole."""
    failures = 0
    while True:
        before = _size(partial)
        try:
            _append(repository, revision, file, partial)
        except (httpx2.TransportError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code not in _PASSING:
                raise
            failures = 1 if _size(partial) > before else failures + 1
            if failures >= ATTEMPTS:
                raise
            time.sleep(2 ** (failures - 1))
        else:
            return


def _append(repository: str, revision: str, file: WeightFile, partial: Path) -> None:
    start = _size(partial)
    if file.size_bytes is not None and start > file.size_bytes:
        partial.unlink()
        start = 0
    if file.size_bytes is not None and start == file.size_bytes and start:
        return
    with open_file(repository, file.path, revision, start=start, end=None) as response:
        if response.status_code == httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # it has all there is
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        with partial.open("ab" if goes_on else "wb") as target:
            for chunk in response.iter_bytes():
                target.write(chunk)
                if file.size_bytes is not None and target.tell() > file.size_bytes:
                    raise WeightsError(f"the hub sends more of {file.path} than the {file.size_bytes} bytes it told")
            target.flush()
            os.fsync(target.fileno())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
