"""Two handles on one database, any interleaving of commits: the double, which has one thread of time, is the oracle."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.control.ports import Changes, Stale, Store
from alliage.errors import StoreError
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from tests.doubles.memory_store import MemoryStore
from tests.store.builders import (
    GIB,
    a_binding,
    a_decision,
    a_failed,
    a_key,
    a_node,
    a_project,
    a_recipe_key,
    a_replica,
    a_service,
    a_tenant,
    seen,
)
from tests.store.grounds import Ground

_services = st.sampled_from("abc")
_replicas = st.sampled_from(["a-1", "a-2", "b-1", "b-2"])
_bindings = st.builds(
    lambda cores, gib: a_binding(*sorted(cores), memory_bytes=gib * GIB),
    st.sets(st.integers(0, 4), max_size=2),
    st.integers(1, 5),
)


def _some(items: st.SearchStrategy[str], build: Callable[[str], object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items.map(build), max_size=2).map(tuple)


_changes = st.builds(
    Changes,
    nodes=st.sampled_from([(), (), (a_node(),), (a_node(memory_bytes=4 * GIB),)]),
    services=_some(_services, a_service),
    replicas=st.lists(st.builds(a_replica, _replicas, _bindings), max_size=2).map(tuple),
    keys=_some(_services, a_key),
    tenants=_some(_services, a_tenant),
    projects=_some(_services, a_project),
    failed=_some(_services, a_failed),
    drop_nodes=st.sampled_from([(), (), (), (NodeId("laptop"),)]),
    drop_services=_some(_services, ServiceName),
    drop_replicas=_some(_replicas, ReplicaId),
    drop_tenants=_some(_services, str),
    drop_projects=_some(_services, lambda tenant: (tenant, "web")),
    drop_failed=_some(_services, lambda model: (NodeId("laptop"), a_recipe_key(model))),
    decisions=_some(_services, a_decision),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One of two handles commits what it decided `behind` versions ago, or appends when there are no changes."""

    handle: int
    behind: int
    changes: Changes | None


_steps = st.lists(
    st.builds(Step, st.integers(0, 1), st.sampled_from([0, 0, 0, 1, 2]), st.one_of(st.none(), _changes)), max_size=12
)


def _take(store: Store, version: int, step: Step) -> int | Stale | str:
    if step.changes is None:
        store.append([seen()])
        return version
    try:
        return store.commit(version - step.behind, step.changes)
    except StoreError as refusal:
        return str(refusal)


@settings(max_examples=20, deadline=None)
@given(steps=_steps)
def test_exactly_the_commits_on_the_right_version_land(durable: Ground, steps: list[Step]) -> None:
    """Whatever two handles try in turn, each answer and each picture is what one sequential store gives."""
    oracle = MemoryStore()
    oracle.commit(0, Changes(nodes=(a_node(),)))
    with durable.database() as opener:
        handles = (opener(), opener())
        handles[0].commit(0, Changes(nodes=(a_node(),)))
        for step in steps:
            version = oracle.snapshot().version
            assert _take(handles[step.handle], version, step) == _take(oracle, version, step)
            for handle in handles:
                assert handle.snapshot() == oracle.snapshot()
        for name in "abc":
            assert handles[1].decisions(ServiceName(name), 99) == oracle.decisions(ServiceName(name), 99)
        assert handles[0].observations("chat", 99) == oracle.observations("chat", 99)
