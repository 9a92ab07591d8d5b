"""Opening a database: engines for SQLite and PostgreSQL, and how their transactions begin. No tables here."""

import errno
import os
import sqlite3
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from alliage.errors import StoreError

WRITES: Final = "alliage_writes"
"""Execution option of a connection whose transaction will write: SQLite then locks at its beginning, not half way."""
_POSTGRES_CONNECT_S: Final = 5
_LOCKED_S: Final = 0.01
_OWNER_ONLY: Final = 0o600
_FORMS: Final = "give the path of a file, or postgresql://USER:PASSWORD@HOST/NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where the state is: `path` for SQLite, None for a server. `name` is what messages call it, without a password."""

    url: URL
    path: Path | None
    name: str
    busy_timeout_s: float


def locate(url_or_path: Path | str, busy_timeout_s: float) -> Database:
    """Read what a person wrote: a path, `sqlite:///PATH` or `postgresql://...`; raises StoreError for anything else."""
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return _file(Path(url_or_path), busy_timeout_s)
    url = _parse(url_or_path)
    name = url.render_as_string(hide_password=True)
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return _file(Path(url.database), busy_timeout_s)
        case "postgresql" | "postgres":
            server = url.set(drivername="postgresql+psycopg")
            return Database(url=server, path=None, name=name, busy_timeout_s=busy_timeout_s)
        case _:
            raise StoreError(f"{name} is no database that Alliage can use", remedy=_FORMS)


def open_engine(database: Database, *, migrating: bool = False) -> Engine:
    """An engine that has not connected yet. While `migrating`, SQLite does not follow foreign keys.

    A SQLite migration rebuilds a table by dropping the old one, which would take the rows that refer to it along.
    """
    if database.path is not None:
        _make_private(database.path)
        return _sqlite_engine(database, foreign_keys=not migrating)
    return _postgres_engine(database)


def _parse(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # Neither the text nor the cause is repeated: they may hold a password.
        raise StoreError("the database URL cannot be read", remedy=_FORMS) from None


def _file(path: Path, busy_timeout_s: float) -> Database:
    path = path.absolute()
    url = URL.create("sqlite+pysqlite", database=str(path))
    return Database(url=url, path=path, name=str(path), busy_timeout_s=busy_timeout_s)


def _make_private(path: Path) -> None:
    """Create the file if it is not there, for its owner only: it holds digests of keys. SQLite's side files follow it.

    One that is there is never opened here: when a process closes a file, all its locks on it go, and so would those of the
    connections that it has (sqlite.org/howtocorrupt, 2.2). Whatever program opened the database next would then take the log
    away as one that nobody writes to, and what is written to it from then on is lost with the process.
    """
    try:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY))
        _check_writable(path)
    except OSError as error:
        raise StoreError(
            f"the database {path} cannot be opened for writing ({error.strerror})",
            remedy="check that its folder exists and that you may write to both",
        ) from error
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(_OWNER_ONLY)
    except OSError as error:
        raise StoreError(
            f"the database {path} can be read by others and is not yours ({error.strerror})",
            remedy=f"as its owner, run: chmod 600 {path}",
        ) from error


def _check_writable(path: Path) -> None:
    """Raise OSError for what is no file that this process may read and write."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _sqlite_engine(database: Database, *, foreign_keys: bool) -> Engine:
    engine = create_engine(
        database.url,
        # None: the driver begins no transactions by itself, `_begin_sqlite` does.
        connect_args={"timeout": database.busy_timeout_s, "isolation_level": None},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        mode = _share_by_log(connection, database.busy_timeout_s)
        if mode != "wal":
            raise StoreError(
                f"the database {database.name} is on a file system that cannot share memory (journal mode {mode})",
                remedy="put it on a local disk, or use PostgreSQL",
            )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def _begin_sqlite(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _share_by_log(connection: sqlite3.Connection, within_s: float) -> str:
    """Turn the write-ahead log on; the mode it is in then.

    Where two turn it on in a new file at once, SQLite tells one of them at once that the file is locked, whatever the
    connection's timeout is (its documents on `sqlite3_busy_handler`: a handler that might deadlock is not asked).
    """
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline_s:
                raise
            time.sleep(_LOCKED_S)
        else:
            return str(mode)


def _postgres_engine(database: Database) -> Engine:
    # A server that is cut off must not hold control up: no statement, and no silence of the network, lasts longer.
    milliseconds = int(database.busy_timeout_s * 2000)
    arguments: dict[str, Any] = {
        "connect_timeout": _POSTGRES_CONNECT_S,
        "options": f"-c statement_timeout={milliseconds}",
        "tcp_user_timeout": milliseconds,
        "keepalives_idle": 5,
    }
    try:
        # Pre-ping: a server that was restarted costs one new connection, not one failed commit.
        engine = create_engine(
            database.url, connect_args=arguments, pool_pre_ping=True, pool_size=1, hide_parameters=True
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the database {database.name} needs the driver psycopg, which is not installed",
            remedy="run: pip install 'alliage[postgres]'",
        ) from error

    @event.listens_for(engine, "begin")
    def _begin_postgres(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            milliseconds = int(database.busy_timeout_s * 1000)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    return engine
