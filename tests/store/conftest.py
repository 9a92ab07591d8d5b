"""The grounds as fixtures. Session-scoped: what they hand out is new each time they are asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.grounds import Ground, Opener, SqliteFiles, memory
from tests.store.postgres import NoPostgres, Server, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL; tests that need it are skipped, with the reason, where there is none."""
    try:
        with running_server() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", params=["memory", "sqlite", "postgres"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Each kind of store in turn."""
    if request.param == "memory":
        return memory()
    return _durable(request, request.param, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def durable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Each kind of store that outlives its process."""
    return _durable(request, request.param, tmp_path_factory.mktemp("durable"))


@pytest.fixture
def opener(ground: Ground) -> Iterator[Opener]:
    """An empty database of each kind of store."""
    with ground.database() as opener:
        yield opener


def _durable(request: pytest.FixtureRequest, kind: str, folder: Path) -> Ground:
    if kind == "sqlite":
        return Ground(SqliteFiles(folder))
    server: Server = request.getfixturevalue("postgres")
    return Ground(server.new_database)
