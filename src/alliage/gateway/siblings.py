"""The metrics of all gateway processes of a home, whichever of them is asked: they share a port, and a folder.

Whoever is asked leaves a stamp; at their next sweep all write down their metrics, and the next who is asked tells those of
the others too, as of the scrape before. What one process tells never goes back: what it wrote is younger than what it told.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import Final

_STAMP: Final = "asked"
_SUFFIX: Final = ".prom"
_ANSWERS_S: Final = 5.0
"""Who has not written for so long after the stamp is gone."""
_OLD_S: Final = 300.0
"""What is older is nobody's any more, whatever the stamp says."""


class Siblings:
    """One process's view of them. A folder that cannot be used costs the others' metrics, nothing else."""

    __slots__ = ("_folder", "_own", "_told_s")

    def __init__(self, folder: Path, name: str) -> None:
        """Makes the folder, 0700; `name` is this process's among the gateways."""
        self._folder = folder
        self._own = folder / f"{name}{_SUFFIX}"
        self._told_s = 0.0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._own.unlink(missing_ok=True)
        except OSError:
            return

    def ask(self) -> None:
        """All are to write down what they have."""
        try:
            (self._folder / _STAMP).touch(mode=0o600)
        except OSError:
            return

    def is_asked(self) -> bool:
        """Whether somebody asked since this one wrote last; one look at the file system."""
        asked_s = _written_s(self._folder / _STAMP)
        return asked_s > self._told_s

    def tell(self, text: bytes) -> None:
        """Write it down, so that a reader sees all of it or what was there before."""
        self._told_s = _written_s(self._folder / _STAMP)
        beside = self._own.with_suffix(".new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            beside.replace(self._own)
        except OSError:
            return

    def others(self) -> list[bytes]:
        """What the others wrote, of those that still answer."""
        now_s, asked_s = time(), _written_s(self._folder / _STAMP)
        found: list[bytes] = []
        try:
            for path in sorted(self._folder.iterdir()):
                if path.suffix != _SUFFIX or path == self._own:
                    continue
                written_s = _written_s(path)
                if now_s - written_s > _OLD_S or (written_s < asked_s < now_s - _ANSWERS_S):
                    path.unlink(missing_ok=True)
                else:
                    found.append(path.read_bytes())
        except OSError:
            return found
        return found

    def leave(self) -> None:
        """This process ends."""
        try:
            self._own.unlink(missing_ok=True)
        except OSError:
            return


def together(texts: Iterable[bytes]) -> bytes:
    """Several expositions as one: each family once, with the samples of all."""
    families: dict[bytes, list[bytes]] = {}
    for text in texts:
        for family in text.split(b"# HELP ")[1:]:
            described, _, samples = family.partition(b"\n# TYPE ")
            kind, _, lines = samples.partition(b"\n")
            families.setdefault(b"# HELP %b\n# TYPE %b\n" % (described, kind), []).append(lines)
    return b"".join(head + b"".join(lines) for head, lines in families.items())


def _written_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
