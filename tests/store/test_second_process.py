"""A second process that writes, and kill -9 of it between and inside commits: real files, a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from alliage.fleet.ids import ServiceName
from alliage.store.sql import SqlStore, open_store
from tests.store.builders import seen
from tests.store.postgres import Server
from tests.store.second_process import step

ROOT = Path(__file__).parents[2]


def _write_and_kill(place: str, commits: int) -> int:
    """Run a writer, kill it once it has made that many commits; the last version that it told."""
    command = [sys.executable, "-m", "tests.store.second_process", place]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            told = [int(writer.stdout.readline()) for _ in range(commits)]
        finally:
            writer.kill()
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    return told[-1]


def _assert_whole(store: SqlStore, told: int) -> None:
    view = store.snapshot()
    assert view.version in (told, told + 1), "at most the commit that was not told yet may be there"
    expected = [step(version) for version in range(1, view.version + 1)]
    assert view.services == tuple(service for changes in expected for service in changes.services)
    assert view.replicas == expected[-1].replicas
    for changes in expected[-3:]:
        assert store.decisions(ServiceName(changes.services[0].name), 9) == changes.decisions
    newest = store.observations("chat", 2)[0].at_s
    assert view.version - 1 <= newest <= view.version


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_next_open_sees_a_whole_number_of_commits(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After each kill: nothing that was told is lost, nothing is there by half, and the next writer goes on."""
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    place = server.new_database() if server else str(tmp_path / "alliage.db")
    for commits in (1, 17, 40):
        told = _write_and_kill(place, commits)
        store = open_store(place)
        try:
            _assert_whole(store, told)
            store.append([seen("someone else")])
        finally:
            store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_processes_append_beside_each_other(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Observations of two processes are neither lost nor an error, and each one's order is kept."""
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    place = server.new_database() if server else str(tmp_path / "alliage.db")
    store = open_store(place)
    command = [sys.executable, "-m", "tests.store.second_process", place, "100"]
    try:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
            try:
                assert other.stdout is not None
                assert other.stdout.readline() == "begun\n"
                for at_s in range(100):
                    store.append([seen("mine", at_s=at_s)])
                other.wait(timeout=60)
            finally:
                other.kill()
        assert other.returncode == 0
        assert [one.at_s for one in store.observations("mine", 1000)] == list(range(100))[::-1]
        assert [one.at_s for one in store.observations("theirs", 1000)] == list(range(100))[::-1]
    finally:
        store.close()


_LOOK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM observations').fetchone()[0]); c.close()"


@pytest.mark.parametrize("known", [False, True])
def test_a_program_that_looks_does_not_take_the_log_away(tmp_path: Path, *, known: bool) -> None:
    """Looked into by another program, what is written next is still seen by others, and so outlives this process.

    Also of a database that was made and migrated just now, for which this process opens it more than once.
    """
    path = tmp_path / "alliage.db"
    if known:
        open_store(path).close()
    store = open_store(path)

    def looked() -> int:
        return int(subprocess.run([sys.executable, "-c", _LOOK, str(path)], capture_output=True, check=True).stdout)

    try:
        assert looked() == 0
        store.append([seen("mine")])
        assert looked() == 1
        store.append([seen("mine")])
        assert looked() == 2
    finally:
        store.close()
