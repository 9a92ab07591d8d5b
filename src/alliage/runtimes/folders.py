"""The folder of a replica, `$HOME/run/replicas/ID` (0700): what agent and watcher tell each other by files."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from alliage.engines.launch import CONFIG_NAME
from alliage.errors import BadInput, HomeError
from alliage.fleet.ids import ReplicaId

FORMAT: Final = 1
"""Moves when `spec.json` changes in a way that an older agent cannot read; such a folder is left alone."""
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSpec:
    """What the watcher needs: the engine's command, and its own limits."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cores: tuple[int, ...]
    claim_s: float
    log_bytes_max: int
    log_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """`spec.json`: what the next agent needs to go on with an engine that still runs. It holds the key: 0600."""

    format: int
    replica: ReplicaId
    attempt: int
    host: str
    port: int
    key: str
    ready_path: str
    ready_within_s: float
    boot_id: str
    watch: WatchSpec
    config: str = ""
    """Of a file that the engine reads; it may hold the key: 0600."""
    sleep_path: str = ""
    wake_path: str = ""
    """As a launch spec has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How an engine ended: by exit `code` or by `signal`. `why` is self, asked, unclaimed or terminated."""

    pid: int
    code: int | None
    signal: int | None
    why: str
    tail: str


@dataclass(frozen=True, slots=True)
class ReplicaFolder:
    """One replica's folder; it may not exist yet."""

    path: Path

    @property
    def log_path(self) -> Path:
        """The newest log file; older ones have `.1`, `.2` behind their name."""
        return self.path / "engine.log"

    def prepare(self, spec: Spec) -> None:
        """Make the folder ready for a watcher to start; raises HomeError when it cannot be written."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "exit.json").unlink(missing_ok=True)
            self.mark_asleep(False)
            if spec.config:
                self._write(CONFIG_NAME, spec.config.encode())
            self._write("spec.json", msgspec.json.encode(asdict(spec)))
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be written: {error.strerror}",
                remedy="make room or give the folder back to its user",
            ) from error

    def _write(self, name: str, content: bytes) -> None:
        new = self.path / f"{name}.new"
        new.touch(mode=0o600)
        new.write_bytes(content)
        new.replace(self.path / name)

    @property
    def is_asleep(self) -> bool:
        """Whether its engine sleeps, as far as an agent before us got."""
        return (self.path / "asleep").exists()

    def mark_asleep(self, is_asleep: bool) -> None:  # noqa: FBT001 - what it is
        """So that the next agent knows."""
        if is_asleep:
            (self.path / "asleep").touch(mode=0o600)
        else:
            (self.path / "asleep").unlink(missing_ok=True)

    def spec(self) -> Spec | None:
        """What was started here; None when it is gone or was written in another format."""
        spec = _read(self.path / "spec.json", Spec)
        return spec if spec is not None and spec.format == FORMAT else None

    def exit(self) -> Exit | None:
        """How its engine ended, None when that is not known."""
        return _read(self.path / "exit.json", Exit)

    def forget(self) -> None:
        """Keep the logs only."""
        written = (name for stem in ("spec.json", CONFIG_NAME) for name in (stem, f"{stem}.new"))
        for name in (*written, "exit.json", "asleep", "watcher.sock", "lock"):
            (self.path / name).unlink(missing_ok=True)


_Record = TypeVar("_Record", Spec, Exit)


def _read(path: Path, kind: type[_Record]) -> _Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def folder_of(home: Path, replica: str) -> ReplicaFolder:
    """The folder of a replica; raises BadInput for an id that is no plain name."""
    if not _SAFE_NAME.fullmatch(replica):
        raise BadInput(f"{replica!r} is not a replica id")
    return ReplicaFolder(home / "run" / "replicas" / replica)


def kept_folders(home: Path) -> tuple[ReplicaFolder, ...]:
    """Those of replicas that were not forgotten."""
    root = home / "run" / "replicas"
    return tuple(ReplicaFolder(spec.parent) for spec in sorted(root.glob("*/spec.json")))


def prune_folders(home: Path, keep: int) -> None:
    """Remove the folders of replicas that were forgotten, but for the newest `keep`."""
    root = home / "run" / "replicas"
    gone = [path for path in root.glob("*") if not (path / "spec.json").exists()]
    for path in sorted(gone, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)
