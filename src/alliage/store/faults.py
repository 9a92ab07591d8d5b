"""What a database's own errors mean to a person: StoreError with a message and a remedy. No other module reads codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError

from alliage.errors import StoreError

_ANOTHER: Final = "end the other program that holds it, or wait, and try again"
_RIGHTS: Final = "check owner and rights of the file and of its folder, and that the disk is not mounted read-only"
_COPY: Final = "put back a copy of it (`*.before-*` beside it), or move the file away to start with an empty one"
_ROOM: Final = "make room and try again; nothing was lost, what did not fit was not written"

# By the start of SQLite's extended error name, or PostgreSQL's SQLSTATE; the first that matches is taken.
_MEANINGS: Final = (
    ("SQLITE_BUSY", "is locked by another program", _ANOTHER),
    ("SQLITE_LOCKED", "is locked by another program", _ANOTHER),
    ("55P03", "is locked by another session", _ANOTHER),
    ("SQLITE_FULL", "cannot grow: the disk is full", _ROOM),
    ("53100", "cannot grow: the server's disk is full", _ROOM),
    ("SQLITE_READONLY", "cannot be written", _RIGHTS),
    ("25006", "cannot be written: the server is read-only", "name the primary server in the URL"),
    ("SQLITE_CANTOPEN", "cannot be opened", _RIGHTS),
    ("SQLITE_PERM", "cannot be opened", _RIGHTS),
    ("SQLITE_NOTADB", "is not a SQLite database", _COPY),
    ("SQLITE_CORRUPT", "is damaged or cut off", _COPY),
    ("SQLITE_IOERR", "could not be read or written", "look at the disk and the system's log, then try again"),
    ("42501", "may not be used by this user", "grant the user all rights on the database's schema"),
)


@contextmanager
def told_plainly(database: str) -> Iterator[None]:
    """Turns errors of the driver inside the block into StoreError; `database` is a path, or a URL without its password."""
    try:
        yield
    except DBAPIError as error:
        raise explain(database, error) from error


def explain(database: str, error: DBAPIError) -> StoreError:
    """The StoreError for what the driver said."""
    cause = error.orig
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    said = " ".join(str(cause).split())
    for start, meaning, remedy in _MEANINGS:
        if code.startswith(start):
            return StoreError(f"the database {database} {meaning} ({said})", remedy=remedy)
    if isinstance(error, OperationalError):
        return StoreError(
            f"the database {database} cannot be reached ({said})",
            remedy="check that the server runs and that host, database name, user and password in the URL are right",
        )
    return StoreError(f"the database {database} refused: {said}", remedy="please report it with this line")
