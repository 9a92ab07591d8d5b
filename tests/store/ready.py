"""An empty SQLite store at the newest schema, without migrating each time: a copy of one that was made once a process."""

import tempfile
from functools import cache
from pathlib import Path

from alliage.store.sql import SqlStore, open_store


def ready_store(folder: Path) -> SqlStore:
    """A new store in that folder."""
    path = folder / "ready.db"
    path.write_bytes(_template())
    return open_store(path)


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        open_store(path).close()
        return path.read_bytes()
