"""Databases that cannot be used: each ends in one StoreError that names the database and the way out."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from alliage.control.ports import Changes
from alliage.errors import StoreError
from alliage.store.faults import told_plainly
from alliage.store.sql import SqlStore, open_store
from tests.store.builders import a_service, seen
from tests.store.postgres import Server

NOBODY = 65534


@contextmanager
def _opened(place: Path | str, *, busy_timeout_s: float = 5.0) -> Iterator[SqlStore]:
    store = open_store(place, busy_timeout_s=busy_timeout_s)
    try:
        yield store
    finally:
        store.close()


def _refusal(place: Path | str) -> StoreError:
    with pytest.raises(StoreError) as raised, _opened(place):
        pass
    assert raised.value.remedy
    return raised.value


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """The file and SQLite's side files are 0600, also when the file was there with wider rights."""
    path = tmp_path / "alliage.db"
    path.touch(mode=0o644)
    with _opened(path) as store:
        store.append([seen()])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"alliage.db": 0o600, "alliage.db-wal": 0o600, "alliage.db-shm": 0o600}


def test_the_settings_of_sqlite(tmp_path: Path) -> None:
    """Write-ahead log, a full sync at each commit and foreign keys, as stated."""
    with _opened(tmp_path / "alliage.db") as store, store._engine.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert found == ["wal", 2, 1, 5000]


def test_a_path_may_be_written_as_text_or_url(tmp_path: Path) -> None:
    """A path, its text and its sqlite URL are one database."""
    path = tmp_path / "alliage.db"
    with _opened(path) as one, _opened(str(path)) as two, _opened(f"sqlite:///{path}") as three:
        assert one.installation() == two.installation() == three.installation()
        assert len(one.installation()) == 32


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """Garbage is no SQLite database; it is left as it was."""
    path = tmp_path / "alliage.db"
    path.write_bytes(b"hello, I am a text file\n" * 100)
    refusal = _refusal(path)
    assert f"{path} is not a SQLite database" in refusal.message
    assert path.read_bytes() == b"hello, I am a text file\n" * 100


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    """Half of a database is told from a whole one at opening."""
    path = tmp_path / "alliage.db"
    with _opened(path):
        pass
    os.truncate(path, path.stat().st_size // 2)
    assert "is damaged or cut off" in _refusal(path).message


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """A SQLite database with other tables is not taken over."""
    path = tmp_path / "alliage.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    refusal = _refusal(path)
    assert "was not made by Alliage (it has the tables photos)" in refusal.message
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("photos",)]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The message names the path."""
    assert str(tmp_path / "none" / "alliage.db") in _refusal(tmp_path / "none" / "alliage.db").message


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """A folder cannot be a database."""
    assert "Is a directory" in _refusal(tmp_path).message


@contextmanager
def _without_rights(folder: Path) -> Iterator[None]:
    """As a user who may read the folder but not write to it. Root may write anywhere, so it becomes nobody."""
    folder.chmod(0o555)
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written(outside: Path) -> None:
    """A new database in a read-only folder is refused with the reason."""
    with _without_rights(outside):
        refusal = _refusal(outside / "alliage.db")
    assert "cannot be opened for writing (Permission denied)" in refusal.message


def test_a_database_whose_folder_cannot_be_written(outside: Path) -> None:
    """One that is there, in a folder where SQLite cannot keep its log."""
    with _opened(outside / "alliage.db"):
        pass
    with _without_rights(outside):
        refusal = _refusal(outside / "alliage.db")
    assert str(outside / "alliage.db") in refusal.message
    assert "owner and rights" in refusal.remedy


def test_a_file_that_cannot_be_written(outside: Path) -> None:
    """A read-only file is refused at once, not at the first commit."""
    with _opened(outside / "alliage.db"):
        pass
    (outside / "alliage.db").chmod(0o400)
    with _without_rights(outside):
        assert "cannot be opened for writing" in _refusal(outside / "alliage.db").message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is somebody else's")
def test_a_file_of_somebody_else_that_all_may_read(outside: Path) -> None:
    """A file that cannot be made private is not used: others could read the digests of keys."""
    path = outside / "alliage.db"
    outside.chmod(0o777)
    path.touch()
    path.chmod(0o666)
    os.seteuid(NOBODY)
    try:
        refusal = _refusal(path)
    finally:
        os.seteuid(0)
    assert "can be read by others and is not yours" in refusal.message
    assert f"chmod 600 {path}" in refusal.remedy


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    """Another program's write lock: reads go on, a write waits for its time and then says what holds it up."""
    path = tmp_path / "alliage.db"
    with _opened(path, busy_timeout_s=0.05) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.snapshot().version == 0
        with pytest.raises(StoreError, match="is locked by another program"):
            store.commit(0, Changes(services=(a_service(),)))
        with pytest.raises(StoreError, match="is locked by another program"):
            store.append([seen()])
        other.execute("ROLLBACK")
        assert store.commit(0, Changes(services=(a_service(),))) == 1


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """SQLite's own refusal to grow is told as a full disk; nothing is written and the store works on afterwards."""
    with _opened(tmp_path / "alliage.db") as store:
        with store._engine.connect() as connection:  # the one connection of the pool keeps the limit
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match="the disk is full") as raised:
            store.append([seen(what="x" * 100_000)])
        assert "make room" in raised.value.remedy
        assert store.observations("chat", 1) == ()
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert store.commit(0, Changes(services=(a_service(),))) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://ann:secret@host/db", "mysql://ann:***@host/db is no database that Alliage can use"),
        ("sqlite://", "is no database that Alliage can use"),
        ("postgresql://ann:secret@host:port/db", "the database URL cannot be read"),
    ],
)
def test_urls_of_other_databases_are_refused(url: str, said: str) -> None:
    """Only what was tried is taken; a password is not repeated."""
    refusal = _refusal(url)
    assert said in refusal.message
    assert "secret" not in str(refusal)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """No server at the address: the message names it, without the password."""
    refusal = _refusal(f"postgresql://ann:secret@/alliage?host={tmp_path}")
    assert "cannot be reached" in refusal.message
    assert "ann:***@" in refusal.message
    assert "secret" not in str(refusal)


def test_a_database_that_is_not_there_is_told(postgres: Server) -> None:
    """The server's own words are passed on."""
    assert 'database "none" does not exist' in _refusal(postgres.url("none")).message


def test_a_locked_row_on_a_server_is_told(postgres: Server) -> None:
    """Another session in the middle of a commit: the write waits for its time, then says so; then it works again."""
    place = postgres.new_database()
    with _opened(place, busy_timeout_s=0.05) as store, psycopg.connect(place) as other:
        other.execute("SELECT version FROM meta FOR UPDATE")
        with pytest.raises(StoreError, match="is locked by another session"):
            store.commit(0, Changes(services=(a_service(),)))
        other.rollback()
        assert store.commit(0, Changes(services=(a_service(),))) == 1


def test_a_lost_connection_is_made_again(postgres: Server) -> None:
    """The server ends our session, as a restart does: the next call works."""
    place = postgres.new_database()
    with _opened(place) as store:
        assert store.snapshot().version == 0
        with psycopg.connect(place, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert store.commit(0, Changes(services=(a_service(),))) == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [(OperationalError, r"the database x cannot be reached \(odd\)"), (DatabaseError, "the database x refused: odd")],
)
def test_what_has_no_meaning_here_is_passed_on(kind: type[DBAPIError], said: str) -> None:
    """An error that the table does not know is told in the driver's words."""
    with pytest.raises(StoreError, match=said) as raised, told_plainly("x"):
        raise kind("SELECT 1", {}, sqlite3.OperationalError("odd"))
    assert isinstance(raised.value.__cause__, kind)
