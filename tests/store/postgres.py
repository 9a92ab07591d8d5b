"""A private PostgreSQL for the tests: its own data folder, a Unix socket only, nothing kept."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

START_S_MAX = 60.0


class NoPostgres(Exception):  # it is a reason, the test is skipped with it
    """Why there is no PostgreSQL to test on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `folder` holds its socket."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def new_database(self) -> str:
        """The URL of a new empty database."""
        name = f"alliage_{next(self._numbers)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of the database of that name."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            psycopg.connect(self._dsn("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Start one, and end it; raises NoPostgres where there are no programs or no user to run them as."""
    programs = _programs()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    try:
        if user is not None:
            os.chown(folder, *pwd.getpwnam(user)[2:4])
        _run(
            [programs / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"],
            folder,
            user,
        )
        with _serving(programs, folder, user):
            yield Server(folder)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _serving(programs: Path, folder: Path, user: str | None) -> Iterator[None]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "shared_buffers": "16MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        command = [str(programs / "postgres"), "-D", str(folder / "data"), *options]
        process = subprocess.Popen(command, cwd=folder, user=user, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S_MAX
        while not Server(folder).ready():
            if process.poll() is not None or time.monotonic() > deadline:
                last_words = (folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"PostgreSQL did not start:\n{last_words}")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown: connections are closed
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=20)


def _run(command: list[str | Path], folder: Path, user: str | None) -> None:
    subprocess.run([*command, "-D", folder / "data"], cwd=folder, user=user, check=True, capture_output=True)


def _programs() -> Path:
    """The folder of the newest server's programs."""
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found = shutil.which("initdb")
    if debian:
        return max(debian, key=lambda folder: int(folder.parent.name))
    if found is None:
        raise NoPostgres("no PostgreSQL server here: run scripts/test-servers as root, or install postgresql")
    return Path(found).resolve().parent


def _user() -> str | None:
    """The user to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError as error:
        raise NoPostgres("PostgreSQL refuses to run as root, and there is no user 'postgres'") from error
