"""One writer a database: on PostgreSQL, which many machines can reach, a lock that its server holds for one session.

A SQLite file needs none: it belongs to one home folder, which one supervisor holds.
"""

import threading
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from alliage.errors import StoreError

_LOCK: Final = 0x616C6C6961676577
"""`alliagew` as a number; advisory locks are per database. Migrations take another one."""


class SoleWriter:
    """Holds the lock on a connection of its own; takes it again after the server was away."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = create_engine(engine.url, poolclass=NullPool, hide_parameters=True)
        self._name = name
        self._connection: Connection | None = None
        self._asking = threading.Lock()

    def hold(self) -> None:
        """See that the lock is ours; raises StoreError when another control has it. Any thread may ask."""
        with self._asking:
            self._hold()

    def _hold(self) -> None:
        if self._connection is not None and self._is_alive(self._connection):
            return
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
            connection.close()
            raise StoreError(
                f"another control writes to {self._name}",
                remedy="stop it, or give this one a database of its own ([store] url)",
            )
        self._connection = connection

    def _is_alive(self, connection: Connection) -> bool:
        try:
            connection.scalar(text("SELECT 1"))
        except DBAPIError:
            connection.invalidate()
            connection.close()
            self._connection = None
            return False
        return True

    def let_go(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()
