"""The home folder: where everything of one installation lives, who may use it, and one `up` at a time."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import HomeError
from alliage.runtimes.processes import boot_id, started_ticks

SOCKET_PATH_BYTES_MAX: Final = 107
"""`sun_path` of Linux, less its end mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Paths under `root`. The folder is 0700, so nothing in it is readable by others."""

    root: Path

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.root / "alliage.db"

    @property
    def admin_key(self) -> Path:
        """The first admin key, 0600."""
        return self.root / "admin.key"

    @property
    def user_key(self) -> Path:
        """A key of role user for the printed examples, 0600."""
        return self.root / "user.key"

    @property
    def settings(self) -> Path:
        """The optional settings file."""
        return self.root / "alliage.toml"

    @property
    def catalog(self) -> Path:
        """The user's own chips, stacks, engines and models: a folder for each."""
        return self.root / "catalog"

    @property
    def catalogs(self) -> tuple[Path, Path]:
        """Where a user's own facts are looked for: in `catalog`, and `chips`, `stacks` and `engines` right in the home."""
        return (self.catalog, self.root)

    @property
    def models(self) -> Path:
        """Fetched weights."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        """Logs of our own processes."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Sockets, the lock, what runs."""
        return self.root / "run"

    @property
    def usage(self) -> Path:
        """The gateways' usage journals: a folder each, gone when control has taken all of it."""
        return self.root / "usage"

    @property
    def faults_socket(self) -> Path:
        """Where a rehearsal is told what is to go wrong."""
        return self.run / "rehearsal.sock"

    @property
    def engines_socket(self) -> Path:
        """Where the process of rehearsed engines listens."""
        return self.run / "rehearsed-engines.sock"

    @property
    def control_socket(self) -> Path:
        """Where control listens for gateways and agents."""
        return self.run / "control.sock"

    @property
    def up_file(self) -> Path:
        """Who runs here and on which ports (`RunningUp` as JSON)."""
        return self.run / "up.json"

    @property
    def node_id(self) -> Path:
        """What this machine is called in the fleet, whatever its host name becomes."""
        return self.root / "node-id"

    @property
    def default_deployed(self) -> Path:
        """There once the default model was asked for, so that deleting it lasts."""
        return self.root / "default-deployed"


class RunningUp(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor that uses a home: identity is pid + start time + boot id."""

    pid: int
    started: str
    boot_id: str
    host: str
    port: int
    admin_port: int
    gateways: int = 1
    """Gateway processes that listen on `port`."""
    tls_certificate: str = ""
    """The file of their certificate; "" where they speak plain HTTP."""


def open_home(root: Path) -> Home:
    """Make the folders (0700) and see that they can be written; raises HomeError saying what to do."""
    home = Home(root=root.expanduser().absolute())
    try:
        for folder in (home.root, home.run, home.models, home.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        probe = home.run / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise HomeError(
            f"the home folder {home.root} cannot be used: {error.strerror}",
            remedy="choose a folder you may write with --home or ALLIAGE_HOME",
        ) from error
    length = len(os.fsencode(home.control_socket))
    if length > SOCKET_PATH_BYTES_MAX:
        raise HomeError(
            f"the home folder {home.root} has too long a path for a Unix socket ({length} bytes, "
            f"the limit is {SOCKET_PATH_BYTES_MAX})",
            remedy="choose a shorter one with --home or ALLIAGE_HOME",
        )
    return home


class HomeLock:
    """Held by the one supervisor of a home; the kernel lets go of it when that dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = (home.run / "up.lock").open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise HomeError(
                f"another `alliage up`{_holder(home)} uses the home folder {home.root}",
                remedy="stop it with `alliage down`, or give this one another --home",
            ) from error

    def announce(self, *, host: str, port: int, admin_port: int, gateways: int = 1, tls_certificate: str = "") -> None:
        """Write who runs here, atomically."""
        pid = os.getpid()
        running = RunningUp(
            pid=pid,
            started=str(started_ticks(pid)),
            boot_id=boot_id(),
            host=host,
            port=port,
            admin_port=admin_port,
            gateways=gateways,
            tls_certificate=tls_certificate,
        )
        write_private(self._home.up_file, json.dumps(msgspec.to_builtins(running)) + "\n")

    def release(self) -> None:
        """Take the announcement back and let go."""
        self._home.up_file.unlink(missing_ok=True)
        self._file.close()


def _holder(home: Home) -> str:
    running = read_running(home)
    return f" (pid {running.pid})" if running is not None else ""


def read_running(home: Home) -> RunningUp | None:
    """The supervisor that runs on this home, None when it does not run (any more)."""
    try:
        running = msgspec.json.decode(home.up_file.read_bytes(), type=RunningUp)
    except (OSError, msgspec.DecodeError):
        return None
    alive = running.boot_id == boot_id() and running.started == str(started_ticks(running.pid))
    return running if alive else None


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file so that a reader sees the old text or the new, never a part."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
