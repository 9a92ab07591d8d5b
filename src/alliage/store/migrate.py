"""Bringing a database to the newest schema, once, at opening; a SQLite file is copied aside first.

A new schema is one more file in `migrations/versions/` and one more entry in `tables.REVISIONS`.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from alliage.errors import SchemaTooNew, StoreError
from alliage.store.connect import WRITES, Database, open_engine
from alliage.store.tables import REVISIONS, VERSION_TABLE

COPIES_KEPT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a version of Alliage knows: every revision, oldest first, and where Alembic finds their scripts."""

    revisions: tuple[str, ...]
    migrations: str

    @property
    def newest(self) -> str:
        """The revision that it works on."""
        return self.revisions[-1]


THIS_SCHEMA: Final = Schema(revisions=REVISIONS, migrations="alliage.store:migrations")
_ADVISORY_LOCK: Final = 0x616C6C69616765  # "alliage": two processes must not migrate one PostgreSQL at once


def bring_up_to_date(database: Database, engine: Engine, schema: Schema = THIS_SCHEMA) -> None:
    """Nothing when the schema is the newest; else copy aside and migrate, all or nothing.

    Raises SchemaTooNew for a schema that is not known here, StoreError for a database of something else.
    """
    with engine.connect() as connection:
        if _revision(connection, database, schema) == schema.newest:
            return
    migrating = open_engine(database, migrating=True)
    try:
        _migrate(database, migrating, schema)
    finally:
        migrating.dispose()


def _migrate(database: Database, engine: Engine, schema: Schema) -> None:
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(connection, database, schema)
        if revision == schema.newest:
            return  # another process was faster
        if revision is not None and database.path is not None:
            copy_aside(database.path, schema.newest)
        _upgrade(connection, schema)
        _check_references(connection, database)


def _upgrade(connection: Connection, schema: Schema) -> None:
    # Only here: Alembic costs 9 MB and 0.2 s, and most openings have nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", schema.migrations)
    command.upgrade(config, schema.newest)


def _revision(connection: Connection, database: Database, schema: Schema) -> str | None:
    """The revision of the schema, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    found = _recorded(connection) if VERSION_TABLE in tables else None
    if found is None:
        raise StoreError(
            f"the database {database.name} was not made by Alliage (it has the tables {', '.join(sorted(tables)[:5])})",
            remedy="give Alliage a database of its own",
        )
    if found not in schema.revisions:
        raise SchemaTooNew(
            f"the database {database.name} was written by a newer Alliage: its schema is {found}, "
            f"this version knows {schema.revisions[0]} to {schema.newest}",
            remedy=_way_back(database),
        )
    return found


def _recorded(connection: Connection) -> str | None:
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()


def _way_back(database: Database) -> str:
    newer = "install that newer version again"
    copies = [copy.name for copy in _copies(database.path)] if database.path is not None else []
    return f"{newer}, or put back the copy made before it: {copies[-1]}" if copies else newer


def _check_references(connection: Connection, database: Database) -> None:
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise StoreError(
            f"migrating the database {database.name} would have left rows that refer to nothing",
            remedy="it is as it was before; please report this",
        )


def copy_aside(path: Path, revision: str) -> Path:
    """Copy the database to `NAME.before-REVISION` (what it is about to become) with all that is in its log; keep the last 3.

    SQLite's own backup reads through the log, which a copy of the file would miss. Raises StoreError.
    """
    target = path.with_name(f"{path.name}.before-{revision}")
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.replace(target)
        for old in _copies(path)[:-COPIES_KEPT]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"the database {path} must be migrated, but cannot be copied aside to {target.name} first ({error})",
            remedy="make room in that folder; nothing was changed",
        ) from error
    return target


def _copies(path: Path) -> list[Path]:
    """The copies beside a database, oldest first."""
    found = [copy for copy in path.parent.glob(f"{path.name}.before-*") if copy.suffix != ".part"]
    return sorted(found, key=lambda copy: (copy.stat().st_mtime_ns, copy.name))
