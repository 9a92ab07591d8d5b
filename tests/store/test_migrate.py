"""Schemas: the way up from every older one, the copy aside, and a clear no to newer ones."""

import re
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from alliage.control.ports import Changes
from alliage.errors import SchemaTooNew, StoreError
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Key, Role
from alliage.fleet.tenants import Tenant
from alliage.store import tables
from alliage.store.connect import locate, open_engine
from alliage.store.migrate import COPIES_KEPT, THIS_SCHEMA, Schema, bring_up_to_date
from alliage.store.sql import open_store
from tests.store.builders import a_binding, a_node, a_replica, a_service, some_limits
from tests.store.postgres import Server

NEXT = '''
"""A schema of the future."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("replicas", recreate="always" if sqlite else "never") as replicas:
        replicas.add_column(sa.Column("extra_{revision}", sa.Text, nullable=False, server_default="x"))
    {more}
'''


def _later(folder: Path, *revisions: str, more: str = "") -> Schema:
    """A schema with more revisions than this version has; `more` is the last line of each migration."""
    migrations = folder / f"migrations-{revisions[-1]}"
    versions = migrations / "versions"
    versions.mkdir(parents=True)
    packaged = resources.files("alliage.store") / "migrations"
    (migrations / "env.py").write_text((packaged / "env.py").read_text())
    for script in (packaged / "versions").iterdir():
        if script.name.startswith("r"):
            (versions / script.name).write_text(script.read_text())
    for before, revision in zip((THIS_SCHEMA.newest, *revisions), revisions, strict=False):
        (versions / f"r{revision}.py").write_text(NEXT.format(revision=revision, before=before, more=more))
    return Schema(revisions=(*THIS_SCHEMA.revisions, *revisions), migrations=str(migrations))


def _migrate(place: Path | str, schema: Schema = THIS_SCHEMA) -> None:
    database = locate(place, 1.0)
    engine = open_engine(database)
    try:
        bring_up_to_date(database, engine, schema)
    finally:
        engine.dispose()


def _fill(place: Path | str) -> None:
    store = open_store(place)
    changes = Changes(nodes=(a_node(),), services=(a_service(),), replicas=(a_replica("chat-1", a_binding(0)),))
    assert store.commit(0, changes) == 1
    store.close()


def test_the_list_of_revisions_is_alembics() -> None:
    """tables.REVISIONS, which spares most openings Alembic, names exactly the migrations there are, in order."""
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", THIS_SCHEMA.migrations)
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in scripts)[::-1] == tables.REVISIONS


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_migrations_lead_to_the_tables(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What the migrations make is what the tables say, on both databases."""
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    place = server.new_database() if server else tmp_path / "alliage.db"
    open_store(place).close()
    engine = open_engine(locate(place, 1.0))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": tables.VERSION_TABLE})
            assert compare_metadata(context, tables.metadata) == []
    finally:
        engine.dispose()


@pytest.mark.parametrize("revision", tables.REVISIONS)
def test_every_older_schema_is_brought_up(revision: str, tmp_path: Path) -> None:
    """A file left behind at any revision there has been opens and works; its copy is at that revision."""
    path = tmp_path / "alliage.db"
    upto = tables.REVISIONS[: tables.REVISIONS.index(revision) + 1]
    _migrate(path, Schema(revisions=upto, migrations=THIS_SCHEMA.migrations))

    _fill(path)

    copies = list(tmp_path.glob("alliage.db.before-*"))
    assert len(copies) == (0 if revision == tables.REVISIONS[-1] else 1)


def test_nodes_of_an_older_schema_are_open(tmp_path: Path) -> None:
    """A node that was there before admins could take one out takes part as it did."""
    path = tmp_path / "alliage.db"
    _migrate(path, Schema(revisions=("0001", "0002"), migrations=THIS_SCHEMA.migrations))
    with closing(sqlite3.connect(path)) as older, older:
        record = '{"devices":[],"engines":[]}'
        older.execute("INSERT INTO nodes (id, site, phase, record) VALUES ('old', 'home', 'ready', ?)", (record,))

    store = open_store(path)

    (node,) = store.snapshot().nodes
    assert (node.id, node.is_cordoned, node.is_draining, node.cordoned) == ("old", False, False, ())
    store.close()


def test_keys_and_tenants_of_an_older_schema_have_no_limits(tmp_path: Path) -> None:
    """As they were written before there were projects and limits, they load, with the defaults, and can be written again."""
    path = tmp_path / "alliage.db"
    _migrate(path, Schema(revisions=tables.REVISIONS[:4], migrations=THIS_SCHEMA.migrations))
    with closing(sqlite3.connect(path)) as older, older:
        record = '{"name":"ci","sha256":"00","created_s":3.5}'
        older.execute("INSERT INTO keys (id, role, tenant, record) VALUES ('key-1', 'user', 'house', ?)", (record,))
        record = '{"tier":1,"weight":2.0,"guarantees":[],"budget_micros":null}'
        older.execute("INSERT INTO tenants (name, record) VALUES ('house', ?)", (record,))

    store = open_store(path)

    view = store.snapshot()
    key = Key(id=KeyId("key-1"), name="ci", role=Role.USER, tenant="house", sha256="00", created_s=3.5)
    tenant = Tenant(name="house", tier=1, weight=2.0)
    assert (view.keys, view.tenants, view.projects) == ((key,), (tenant,), ())
    limited = replace(key, limits=some_limits(), project="web")
    assert store.commit(view.version, Changes(keys=(limited,))) == view.version + 1
    assert store.snapshot().keys == (limited,)
    store.close()


def test_a_migration_keeps_the_state_and_copies_it_aside(tmp_path: Path) -> None:
    """The rows survive a rebuilt table, bindings included; the copy, for its owner only, has what was in the log."""
    path = tmp_path / "alliage.db"
    _fill(path)
    with closing(sqlite3.connect(path)) as other:  # an open reader keeps SQLite from emptying its log into the file
        other.execute("SELECT * FROM meta").fetchone()
        store = open_store(path)
        store.commit(1, Changes(services=(a_service("late"),)))
        store.close()
        assert (tmp_path / "alliage.db-wal").stat().st_size > 0
        _migrate(path, _later(tmp_path, "9001"))

    copy = tmp_path / "alliage.db.before-9001"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = open_store(copy)
    assert [service.name for service in before.snapshot().services] == ["chat", "late"]
    before.close()
    with closing(sqlite3.connect(path)) as after:
        assert after.execute("SELECT extra_9001 FROM replicas").fetchall() == [("x",)]
        assert after.execute("SELECT device, cores FROM bindings").fetchall() == [("laptop/cpu0", "[0]")]
        assert after.execute("SELECT version FROM meta").fetchall() == [(2,)]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """The message names the revision found, the ones known here, and the copy that fits; the file is not touched."""
    path = tmp_path / "alliage.db"
    _fill(path)
    _migrate(path, _later(tmp_path, "9001"))

    with pytest.raises(SchemaTooNew) as raised:
        open_store(path)

    newest = re.escape(tables.REVISIONS[-1])
    assert re.search(rf"schema is 9001, this version knows 0001 to {newest}", raised.value.message)
    assert "alliage.db.before-9001" in raised.value.remedy
    _migrate(path, _later(tmp_path / "again", "9001"))


def test_a_newer_schema_on_a_server_is_refused(postgres: Server, tmp_path: Path) -> None:
    """The same on PostgreSQL, where there is no copy to name; data survive the migration there as well."""
    place = postgres.new_database()
    _fill(place)
    _migrate(place, _later(tmp_path, "9001"))

    with pytest.raises(SchemaTooNew, match="9001") as raised:
        open_store(place)
    assert "before-" not in raised.value.remedy


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Two steps, the second of which fails: the file is as it was, at its old revision, and opens."""
    path = tmp_path / "alliage.db"
    _fill(path)

    with pytest.raises(RuntimeError, match="no luck"):
        _migrate(path, _later(tmp_path, "9001", "9002", more="if revision == '9002': raise RuntimeError('no luck')"))

    store = open_store(path)
    assert [replica.bindings for replica in store.snapshot().replicas] == [(a_binding(0),)]
    store.close()


def test_a_migration_that_breaks_references_is_undone(tmp_path: Path) -> None:
    """Foreign keys are off while tables are rebuilt, so they are checked before the end."""
    path = tmp_path / "alliage.db"
    _fill(path)

    with pytest.raises(StoreError, match="refer to nothing"):
        _migrate(path, _later(tmp_path, "9001", more="op.execute('DELETE FROM replicas')"))

    store = open_store(path)
    assert len(store.snapshot().replicas) == 1
    store.close()


def test_the_last_copies_are_kept(tmp_path: Path) -> None:
    """Of five migrations' copies the newest three stay."""
    path = tmp_path / "alliage.db"
    _fill(path)
    revisions = ("9001", "9002", "9003", "9004", "9005")
    for last in range(1, 6):
        _migrate(path, _later(tmp_path, *revisions[:last]))

    names = sorted(copy.name for copy in tmp_path.glob("alliage.db.before-*"))
    assert names == [f"alliage.db.before-{revision}" for revision in revisions[-COPIES_KEPT:]]


def test_a_copy_that_cannot_be_made_stops_the_migration(tmp_path: Path) -> None:
    """No copy, no migration: here a folder has the copy's name."""
    path = tmp_path / "alliage.db"
    _fill(path)
    (tmp_path / "alliage.db.before-9001").mkdir()

    with pytest.raises(StoreError, match=r"cannot be copied aside to alliage\.db\.before-9001"):
        _migrate(path, _later(tmp_path, "9001"))

    open_store(path).close()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_that_open_a_new_database_at_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Both come up on one installation: the second waits for the first one's migration."""
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    place = server.new_database() if server else tmp_path / "alliage.db"
    start = threading.Barrier(4)
    found: list[str] = []

    def open_one() -> None:
        start.wait()
        store = open_store(place)
        found.append(store.installation())
        store.close()

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
