"""SqlStore: the control room's Store on SQLite or PostgreSQL. Short transactions; no decisions, no caching but one view."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from alliage.control.observed import Observation
from alliage.control.ports import MEASURED_KEPT, Changes, Stale
from alliage.decide.reasons import Decision
from alliage.fleet.ids import ServiceName
from alliage.fleet.measured import Measured
from alliage.fleet.view import FleetView
from alliage.store import reads, tables, writes
from alliage.store.books import SqlBooks
from alliage.store.connect import WRITES, Database, locate, open_engine
from alliage.store.faults import told_plainly
from alliage.store.migrate import bring_up_to_date
from alliage.store.sole import SoleWriter

# For PostgreSQL, whatever its default is. SQLite's transactions are one picture, and one writer, as they are.
_POSTGRES_READS: Final[dict[str, Any]] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_POSTGRES_WRITES: Final[dict[str, Any]] = {"isolation_level": "READ COMMITTED"}  # after the row lock, see the newest


def open_store(
    url_or_path: Path | str,
    *,
    history_rows: int = 100_000,
    decisions_per_service: int = 500,
    busy_timeout_s: float = 5.0,
    sole_writer: bool = False,
) -> "SqlStore":
    """The store of a SQLite file (made when it is not there) or a PostgreSQL URL, at the newest schema.

    `history_rows` bounds the observations, the decisions of all services together, and the measurements; `busy_timeout_s` is how long
    a write waits for another program's. A `sole_writer` refuses to be the second one of a server. Raises SchemaTooNew and StoreError, which say what to do.
    """
    database = locate(url_or_path, busy_timeout_s)
    engine = open_engine(database)
    try:
        with told_plainly(database.name):
            sole = SoleWriter(engine, database.name) if sole_writer and engine.dialect.name == "postgresql" else None
            if sole is not None:
                sole.hold()
            bring_up_to_date(database, engine)
            return SqlStore(
                database, engine, history_rows=history_rows, decisions_per_service=decisions_per_service, sole=sole
            )
    except BaseException:
        engine.dispose()
        raise


class SqlStore:
    """State in SQL. Made by `open_store`. Every method may raise StoreError when the database cannot be used."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        *,
        history_rows: int,
        decisions_per_service: int,
        sole: SoleWriter | None = None,
    ) -> None:
        self._sole = sole
        self._database = database
        self._engine = engine
        server = engine.dialect.name == "postgresql"
        self._reader = engine.execution_options(**(_POSTGRES_READS if server else {}))
        self._writer = engine.execution_options(**{WRITES: True}, **(_POSTGRES_WRITES if server else {}))
        self._history_rows = history_rows
        self._decisions_per_service = decisions_per_service
        self._view: FleetView | None = None
        self._measured: tuple[int, tuple[Measured, ...]] | None = None

    def snapshot(self) -> FleetView:
        """Desired state and bindings at one version; one tiny read when that has not moved, whoever wrote last."""
        with self._reading() as connection:
            version = reads.read_version(connection)
            if self._view is None or self._view.version != version:
                self._view = reads.read_view(connection, version)
            return self._view

    def commit(self, expected_version: int, changes: Changes) -> int | Stale:
        """The version after it, or Stale when another commit came first. All of it or nothing.

        Decisions and observations alone are records: they do not move the version. Raises StoreError for a commit that would bind
        more of a device than it has.
        """
        if not changes:
            with self._reading() as connection:
                version = reads.read_version(connection)
            return version if version == expected_version else Stale(version=version)
        with self._writing() as connection:
            version = reads.read_version(connection, lock=True)
            if version != expected_version:
                return Stale(version=version)
            if writes.moves_version(changes):
                writes.write_state(connection, changes)
                version += 1
            writes.add_decisions(
                connection, changes.decisions, a_service=self._decisions_per_service, in_all=self._history_rows
            )
            writes.add_observations(connection, changes.observations, kept=self._history_rows)
        return version

    def append(self, observations: Sequence[Observation]) -> None:
        """Add to the history; the version stays. Safe beside other processes that write."""
        if observations:
            with self._writing() as connection:
                writes.add_observations(connection, observations, kept=self._history_rows)

    def decisions(self, service: ServiceName, limit: int) -> tuple[Decision, ...]:
        """The newest first."""
        with self._reading() as connection:
            return reads.read_decisions(connection, service, limit)

    def observations(self, subject: str, limit: int) -> tuple[Observation, ...]:
        """The newest first."""
        with self._reading() as connection:
            return reads.read_observations(connection, subject, limit)

    def newest_decisions(self, limit: int) -> tuple[Decision, ...]:
        """Of all services, the newest first."""
        with self._reading() as connection:
            return reads.read_newest_decisions(connection, limit)

    def newest_observations(self, limit: int) -> tuple[Observation, ...]:
        """Of all subjects, the newest first."""
        with self._reading() as connection:
            return reads.read_newest_observations(connection, limit)

    def record_measured(self, measured: Sequence[Measured]) -> None:
        """Add measurements; the version stays. The newest MEASURED_KEPT of each recipe on each node are kept."""
        if measured:
            with self._writing() as connection:
                writes.add_measured(connection, measured, a_recipe=MEASURED_KEPT, in_all=self._history_rows)

    def measured(self) -> tuple[Measured, ...]:
        """All of them, the newest first; one tiny read when none came, for only one that comes makes others go."""
        with self._reading() as connection:
            newest = reads.newest_measured(connection)
            if self._measured is None or self._measured[0] != newest:
                self._measured = (newest, reads.read_measured(connection))
            return self._measured[1]

    def books(self) -> SqlBooks:
        """The ledger in the same database; it may be used from other threads beside the store."""
        return SqlBooks(self._reading, self._writing)

    def installation(self) -> str:
        """The random id that this database was given when it was made."""
        with self._reading() as connection:
            return str(connection.execute(select(tables.meta.c.installation)).scalar_one())

    def close(self) -> None:
        """Give the database back."""
        if self._sole is not None:
            self._sole.let_go()
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with told_plainly(self._database.name), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with told_plainly(self._database.name):
            if self._sole is not None:
                self._sole.hold()
            with self._writer.begin() as connection:
                yield connection
