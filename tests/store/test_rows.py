"""Rows written by another version, or damaged: what is read and what is refused."""

import json
import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from alliage.control.ports import Changes
from alliage.errors import StoreError
from alliage.fleet.ids import ServiceName
from alliage.store import rows, tables
from alliage.store.sql import open_store
from tests.store.builders import (
    a_binding,
    a_decision,
    a_failed,
    a_key,
    a_node,
    a_project,
    a_replica,
    a_service,
    a_tenant,
    measured,
    seen,
)

EVERYTHING = Changes(
    nodes=(a_node(),),
    services=(a_service(),),
    replicas=(a_replica("chat-1", a_binding(0)),),
    keys=(a_key(),),
    tenants=(a_tenant(),),
    projects=(a_project(),),
    failed=(a_failed(),),
    decisions=(a_decision(),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one of everything."""
    path = tmp_path / "alliage.db"
    store = open_store(path)
    store.commit(0, EVERYTHING)
    store.append([seen()])
    store.record_measured([measured()])
    store.close()
    return path


def _rewrite(path: Path, table: str, change: Mapping[str, Any]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        (text,) = connection.execute(f"SELECT record FROM {table}").fetchone()
        connection.execute(f"UPDATE {table} SET record = ?", (json.dumps(json.loads(text) | change),))


@pytest.mark.parametrize(
    "table",
    [
        "nodes",
        "services",
        "replicas",
        "keys",
        "tenants",
        "projects",
        "failed",
        "decisions",
        "observations",
        "measurements",
    ],
)
def test_fields_of_a_newer_version_are_passed_over(path: Path, table: str) -> None:
    """A field that this version does not know, in any table, changes nothing that it reads."""
    _rewrite(path, table, {"from_the_future": {"a": [1]}})
    store = open_store(path)
    view = store.snapshot()
    assert (view.nodes, view.services, view.replicas, view.keys) == (
        EVERYTHING.nodes,
        EVERYTHING.services,
        EVERYTHING.replicas,
        EVERYTHING.keys,
    )
    assert (view.tenants, view.failed) == (EVERYTHING.tenants, EVERYTHING.failed)
    assert view.projects == EVERYTHING.projects
    assert store.decisions(ServiceName("chat"), 1) == EVERYTHING.decisions
    assert store.observations("chat", 1) == (seen(),)
    assert store.measured() == (measured(),)
    store.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE replicas SET phase = 'flying'", r"table 'replicas'.*'chat-1'.*flying"),
        ("UPDATE replicas SET record = '{'", r"table 'replicas'"),
        ("UPDATE nodes SET record = '{}'", r"table 'nodes'.*'laptop'.*devices"),
        ("UPDATE services SET record = '{}'", r"table 'services'.*'chat'"),
        ('UPDATE tenants SET record = \'{"tier": "high"}\'', r"table 'tenants'.*'house'.*tier"),
        (
            'UPDATE projects SET record = \'{"limits": {"parallel": "many"}}\'',
            r"table 'projects'.*'web'.*limits.parallel",
        ),
        ("UPDATE keys SET record = replace(record, 'batch', 'royal')", r"table 'keys'.*royal"),
        ("UPDATE failed SET record = '{}'", r"table 'failed'"),
        ("UPDATE bindings SET cores = '[\"x\"]'", r"table 'bindings'"),
    ],
)
def test_a_damaged_row_is_named(path: Path, damage: str, said: str) -> None:
    """A row that is no noun raises StoreError that names its table and, where it has one, its id."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    store = open_store(path)
    with pytest.raises(StoreError, match=said):
        store.snapshot()
    store.close()


def test_text_that_no_database_takes_is_made_readable(tmp_path: Path) -> None:
    """Halves of surrogate pairs, which a log read with `surrogateescape` has, become question marks."""
    store = open_store(tmp_path / "alliage.db")
    store.append([seen(what="last words: \udcff!")])
    assert store.observations("chat", 1)[0].what == "last words: ?!"
    store.close()


def test_any_mapping_is_stored(tmp_path: Path) -> None:
    """A read-only mapping is a mapping; it comes back equal."""
    store = open_store(tmp_path / "alliage.db")
    device = replace(a_node().devices[0], facts=MappingProxyType({"model": "x"}))
    store.commit(0, Changes(nodes=(replace(a_node(), devices=(device,)),)))
    assert store.snapshot().nodes[0].devices[0].facts == {"model": "x"}
    store.close()


def test_a_number_that_json_has_no_word_for_is_a_bug() -> None:
    """Infinity would come back as something else, so it is refused before it is written."""
    service = a_service()
    with pytest.raises(ValueError, match="JSON"):
        rows.service_row(replace(service, objective=replace(service.objective, ttft_s=math.inf)))


def test_each_column_is_a_field_of_its_noun() -> None:
    """No column is without a value: each is a field of the noun that the table is for."""
    made = {
        tables.nodes: rows.node_row(a_node()),
        tables.services: rows.service_row(a_service()),
        tables.replicas: rows.replica_row(a_replica()),
        tables.keys: rows.key_row(a_key()),
        tables.tenants: rows.tenant_row(a_tenant()),
        tables.projects: rows.project_row(a_project()),
        tables.failed: rows.failed_row(a_failed()),
        tables.decisions: rows.decision_row(a_decision()),
        tables.observations: rows.observation_row(seen()),
        tables.measurements: rows.measured_row(measured()),
        tables.bindings: rows.binding_rows(a_replica("a-1", a_binding(0)))[0],
    }
    for table, row in made.items():
        counted = {"id"} if table in (tables.decisions, tables.observations, tables.measurements) else set()
        assert set(row) == {column.name for column in table.columns} - counted
