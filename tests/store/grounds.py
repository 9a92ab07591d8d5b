"""Where the contract suite runs: each ground gives empty databases, and several stores on one of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from alliage.control.ports import Store
from alliage.store.sql import open_store
from tests.doubles.memory_store import MemoryStore


class Opener(Protocol):
    """Opens one more store on the same database."""

    def __call__(self, *, history_rows: int = 100_000, decisions_per_service: int = 500) -> Store:
        """A store on it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A kind of store. `place` gives a new empty database: a path, a URL, or None where all is in memory."""

    place: Callable[[], Path | str | None]

    @contextmanager
    def database(self) -> Iterator[Opener]:
        """An empty database; the stores opened on it are closed at the end."""
        place = self.place()
        with ExitStack() as stack:
            yield _memory() if place is None else _sql(place, stack)


def memory() -> Ground:
    """The double."""
    return Ground(lambda: None)


@dataclass(slots=True)
class SqliteFiles:
    """New paths in one folder."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def __call__(self) -> Path:
        """A path where no file is yet."""
        return self.folder / f"alliage-{next(self._numbers)}.db"


def _memory() -> Opener:
    stores: list[MemoryStore] = []

    def open_one(*, history_rows: int = 100_000, decisions_per_service: int = 500) -> Store:
        if not stores:
            stores.append(MemoryStore(history_rows=history_rows, decisions_per_service=decisions_per_service))
        return stores[0]

    return open_one


def _sql(place: Path | str, stack: ExitStack) -> Opener:
    def open_one(*, history_rows: int = 100_000, decisions_per_service: int = 500) -> Store:
        store = open_store(place, history_rows=history_rows, decisions_per_service=decisions_per_service)
        stack.callback(store.close)
        return store

    return open_one
