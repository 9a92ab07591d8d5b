"""What every Store does, whatever is behind it: run over the double, SQLite and a real PostgreSQL."""

from dataclasses import replace

import pytest

from alliage.control.ports import MEASURED_KEPT, Changes, Stale, Store
from alliage.errors import StoreError
from alliage.fleet.ids import KeyId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView
from tests.store.builders import (
    CARD,
    CPU,
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
    measured,
    seen,
)
from tests.store.grounds import Opener


def test_an_empty_store_is_at_version_zero(opener: Opener) -> None:
    """A new store has nothing in it, and says so with version 0."""
    assert opener().snapshot() == FleetView(version=0)


def test_what_is_committed_is_read_back_whole(opener: Opener) -> None:
    """Every noun survives the way into the store and out of it, field for field, for a store opened later too."""
    node, service, key = a_node(), a_service(), a_key()
    replica = a_replica("chat-000001", a_binding(0, 1), a_binding(device=CARD), note="waits; ünïcode ✓")
    asleep = replace(a_replica("chat-000002"), phase=ReplicaPhase.ASLEEP, bindings=(), bed=(a_binding(),), host_bytes=7)
    state = Changes(
        nodes=(node,),
        services=(service,),
        replicas=(replica, asleep),
        keys=(key,),
        tenants=(a_tenant(),),
        projects=(a_project(),),
        failed=(a_failed(),),
    )

    assert opener().commit(0, replace(state, decisions=(a_decision(),))) == 1

    view = FleetView(
        version=1,
        nodes=(node,),
        services=(service,),
        replicas=(replica, asleep),
        keys=(key,),
        tenants=(a_tenant(),),
        projects=(a_project(),),
        failed=(a_failed(),),
    )
    assert opener().snapshot() == view
    assert opener().decisions(ServiceName("chat"), 10) == (a_decision(),)


def test_what_admins_take_out_is_kept(opener: Opener) -> None:
    """A node that is cordoned or draining, and single devices of one that are, come back so; and open again."""
    node = replace(a_node(), is_cordoned=True, is_draining=True, cordoned=(CARD, CPU), draining=(CPU,))

    assert opener().commit(0, Changes(nodes=(node, replace(a_node("other"), is_cordoned=True)))) == 1

    assert opener().snapshot().nodes == (node, replace(a_node("other"), is_cordoned=True))
    assert opener().commit(1, Changes(nodes=(a_node(),))) == 2
    assert opener().snapshot().nodes[0] == a_node()


def test_a_snapshot_is_sorted(opener: Opener) -> None:
    """Nodes, keys and tenants come by id, projects by tenant and name, services, replicas and failures by age, then by id."""
    store = opener()
    store.commit(
        0,
        Changes(
            nodes=(a_node("b"), a_node("a"), a_node("B")),
            services=(a_service("y", created_s=2), a_service("z", created_s=1), a_service("x", created_s=2)),
            replicas=(a_replica("y-2", created_s=9), a_replica("y-1", created_s=9), a_replica("y-3", created_s=1)),
            keys=(a_key("k2"), a_key("k1")),
            tenants=(a_tenant("b"), a_tenant("a"), a_tenant("B")),
            projects=(a_project("b", "x"), a_project("a", "y"), a_project("a", "Y"), a_project("B", "z")),
            failed=(a_failed("m2"), a_failed("m1"), a_failed("m1", node="far"), a_failed("m3", at_s=1)),
        ),
    )

    view = store.snapshot()

    assert [node.id for node in view.nodes] == ["B", "a", "b"]
    assert [service.name for service in view.services] == ["z", "x", "y"]
    assert [replica.id for replica in view.replicas] == ["y-3", "y-1", "y-2"]
    assert [key.id for key in view.keys] == ["k1", "k2"]
    assert [tenant.name for tenant in view.tenants] == ["B", "a", "b"]
    assert [(each.tenant, each.name) for each in view.projects] == [("B", "z"), ("a", "Y"), ("a", "y"), ("b", "x")]
    failed = [(one.node, one.recipe.model) for one in view.failed]
    assert failed == [("laptop", "m3"), ("far", "m1"), ("laptop", "m1"), ("laptop", "m2")]


def test_a_stale_commit_is_refused_and_changes_nothing(opener: Opener) -> None:
    """Who decided on an older version gets Stale with the version there is, and nothing of it lands."""
    first, second = opener(), opener()
    assert first.commit(0, Changes(services=(a_service("one"),))) == 1

    assert second.commit(0, Changes(services=(a_service("two"),), decisions=(a_decision("two"),))) == Stale(version=1)
    assert second.commit(7, Changes(services=(a_service("two"),))) == Stale(version=1)

    assert [service.name for service in second.snapshot().services] == ["one"]
    assert second.decisions(ServiceName("two"), 10) == ()


def test_puts_replace_and_drops_remove(opener: Opener) -> None:
    """A put replaces the row of its id, a drop removes it with its bindings; dropping what is not there is no error."""
    store = opener()
    nouns = Changes(nodes=(a_node(),), services=(a_service(),), keys=(a_key(),), tenants=(a_tenant(),))
    store.commit(0, replace(nouns, projects=(a_project(),)))
    store.commit(1, Changes(replicas=(a_replica("chat-1", a_binding(0)), a_replica("chat-2", a_binding(1)))))

    moved = a_replica("chat-1", a_binding(2, 3), phase=ReplicaPhase.READY)
    assert store.commit(2, Changes(replicas=(moved,), drop_replicas=(ReplicaId("chat-2"), ReplicaId("never")))) == 3
    assert store.snapshot().replicas == (moved,)

    everything = Changes(
        drop_nodes=(NodeId("laptop"),),
        drop_services=(ServiceName("chat"),),
        drop_replicas=(ReplicaId("chat-1"),),
        drop_keys=(KeyId("key-1"),),
        drop_tenants=("house",),
        drop_projects=(("house", "web"), ("house", "never")),
    )
    assert store.commit(3, everything) == 4
    assert store.snapshot() == FleetView(version=4)


def test_puts_come_before_drops_and_the_last_of_two_puts_counts(opener: Opener) -> None:
    """One commit that puts and drops the same id leaves it dropped; of two puts of one id the later one stays."""
    store = opener()
    twice = (a_replica("chat-1", a_binding(0)), a_replica("chat-1", a_binding(1), a_binding(2)))
    services = (a_service("a", tenant="old"), a_service("a", tenant="new"), a_service("b"))

    store.commit(0, Changes(nodes=(a_node(),), services=services, replicas=twice, drop_services=(ServiceName("b"),)))

    view = store.snapshot()
    assert [(service.name, service.tenant) for service in view.services] == [("a", "new")]
    assert view.replicas == twice[1:]


def test_a_project_is_told_from_others_by_tenant_and_name(opener: Opener) -> None:
    """Two tenants may call a project alike: a put and a drop mean one tenant's. Dropping the tenant leaves its projects."""
    store = opener()
    mine, theirs = a_project("house"), a_project("guest")
    store.commit(0, Changes(projects=(mine, theirs), tenants=(a_tenant("house"),)))

    lifted = Project(tenant="guest", name="web")
    store.commit(1, Changes(projects=(lifted,), drop_tenants=("house",)))
    assert store.snapshot().projects == (lifted, mine)

    store.commit(2, Changes(drop_projects=(("house", "web"),)))
    assert opener().snapshot().projects == (lifted,)


def test_a_failure_is_told_from_others_by_node_and_recipe(opener: Opener) -> None:
    """A later failure of one recipe on one node takes the earlier one's place; a drop takes exactly one away."""
    store = opener()
    one, other, far = a_failed(), a_failed(cores=2), a_failed(node="far")
    store.commit(0, Changes(failed=(one, other, far)))

    again = a_failed(at_s=9.0, why="out of memory")
    store.commit(1, Changes(failed=(again,), drop_failed=((other.node, other.recipe),)))
    assert store.snapshot().failed == (far, again)

    store.commit(2, Changes(drop_failed=((far.node, far.recipe), (again.node, a_recipe_key("never")))))
    assert opener().snapshot().failed == (again,)


def test_what_a_tenant_has_a_right_to_is_replaced(opener: Opener) -> None:
    """A tenant put again has its new rights alone."""
    store = opener()
    store.commit(0, Changes(tenants=(a_tenant("a"), a_tenant("b"))))
    bare = Tenant(name="a")
    store.commit(1, Changes(tenants=(bare,), drop_tenants=("never",)))
    assert store.snapshot().tenants == (bare, a_tenant("b"))


def test_nothing_to_commit_leaves_the_version(opener: Opener) -> None:
    """An empty commit returns the version there is, and is refused as stale like any other."""
    store = opener()
    assert store.commit(0, Changes()) == 0
    store.commit(0, Changes(keys=(a_key(),)))
    assert store.commit(1, Changes()) == 1
    assert store.commit(0, Changes()) == Stale(version=1)


def test_records_do_not_move_the_version(opener: Opener) -> None:
    """Decisions alone and observations are records: a plan made before them still stands."""
    store = opener()
    assert store.commit(0, Changes(decisions=(a_decision(),))) == 0
    store.append([seen()])
    store.append([])
    assert store.commit(0, Changes(services=(a_service(),))) == 1
    assert store.commit(0, Changes(decisions=(a_decision(),))) == Stale(version=1)
    assert len(store.decisions(ServiceName("chat"), 10)) == 1


def test_what_is_told_of_a_commit_comes_with_it(opener: Opener) -> None:
    """Observations of a commit are there if it is, and not if another one came first; alone they do not move the version."""
    store = opener()
    assert store.commit(0, Changes(keys=(a_key(),), observations=(seen("chat", at_s=1.0),))) == 1
    assert store.commit(0, Changes(observations=(seen("chat", at_s=2.0),))) == Stale(version=1)
    assert store.commit(1, Changes(observations=(seen("chat", at_s=3.0),))) == 1
    assert [observation.at_s for observation in store.observations("chat", 9)] == [3.0, 1.0]


def test_records_come_newest_first(opener: Opener) -> None:
    """Decisions and observations of one subject, the newest first, no more than asked for."""
    store = opener()
    for at_s in (1.0, 2.0, 3.0):
        store.commit(0, Changes(decisions=(a_decision(at_s=at_s), a_decision("other"))))
        store.append([seen(at_s=at_s), seen("other")])

    assert [decision.at_s for decision in store.decisions(ServiceName("chat"), 2)] == [3.0, 2.0]
    assert [observation.at_s for observation in store.observations("chat", 2)] == [3.0, 2.0]
    assert store.observations("nobody", 2) == ()


def test_the_newest_of_all_subjects(opener: Opener) -> None:
    """What was recorded last comes first, of whomever it is, by the order of recording; no more than asked for."""
    store = opener()
    assert (store.newest_decisions(5), store.newest_observations(5)) == ((), ())
    for at_s, name in ((3.0, "chat"), (1.0, "other"), (2.0, "chat")):
        store.commit(0, Changes(decisions=(a_decision(name, at_s=at_s),)))
        store.append([seen(name, at_s=at_s), seen("node", at_s=at_s)])

    assert [(each.service, each.at_s) for each in store.newest_decisions(2)] == [("chat", 2.0), ("other", 1.0)]
    newest = [(each.subject, each.at_s) for each in store.newest_observations(3)]
    assert newest == [("node", 2.0), ("chat", 2.0), ("node", 1.0)]


def test_history_is_bounded(opener: Opener) -> None:
    """Observations stay within `history_rows`, decisions within their number a service and within `history_rows`."""
    store = opener(history_rows=5, decisions_per_service=2)
    for at_s in range(4):
        store.append([seen("a", at_s=at_s), seen("b", at_s=at_s)])
        store.commit(0, Changes(decisions=tuple(a_decision(name, at_s=at_s) for name in "xyz")))

    kept = [[observation.at_s for observation in store.observations(subject, 99)] for subject in ("a", "b")]
    assert kept == [[3, 2], [3, 2, 1]]
    decided = [[decision.at_s for decision in store.decisions(ServiceName(name), 99)] for name in "xyz"]
    assert decided == [[3], [3, 2], [3, 2]]


def test_measurements_are_records(opener: Opener) -> None:
    """They come back whole, the newest first, for a store opened later too, and do not move the version."""
    store = opener()
    assert store.measured() == ()
    store.record_measured([measured(at_s=1.0), measured(at_s=2.0, engine_version="")])
    store.record_measured([])
    assert store.snapshot().version == 0
    opener().record_measured([measured("other", at_s=3.0)])

    found = (measured("other", at_s=3.0), measured(at_s=2.0, engine_version=""), measured(at_s=1.0))
    assert store.measured() == found
    assert opener().measured() == found


def test_measurements_are_bounded(opener: Opener) -> None:
    """The newest of each recipe on each node stay, one recipe's probes never push out another's; all within history_rows."""
    store = opener()
    store.record_measured([measured("rare", at_s=0.0), measured(node="far", at_s=0.0), measured(cores=2, at_s=0.0)])
    for at_s in range(MEASURED_KEPT + 3):
        store.record_measured([measured(at_s=at_s)])
        store.record_measured([measured(precision="F16", at_s=at_s)] if at_s < 2 else [])
    many = [one.at_s for one in store.measured() if one.key == measured().key and one.node == measured().node]
    assert many == list(range(MEASURED_KEPT + 2, 2, -1))
    assert len(store.measured()) == MEASURED_KEPT + 5


def test_all_measurements_together_are_bounded(opener: Opener) -> None:
    """Recipes that come and go cannot fill the database."""
    store = opener(history_rows=5)
    for number in range(8):
        store.record_measured([measured(f"model-{number}")])
    assert [one.model for one in store.measured()] == [f"model-{number}" for number in range(7, 2, -1)]


def test_text_of_broken_logs_is_kept(opener: Opener) -> None:
    """A zero byte, which PostgreSQL's text cannot hold, in a note, a decision or an observation stops nobody."""
    store = opener()
    replica = a_replica("chat-1", note="last words: \x00\x1b[31m")
    failed = a_failed(why="last words: \x00")
    store.commit(0, Changes(replicas=(replica,), failed=(failed,), decisions=(replace(a_decision(), where="\x00"),)))
    store.append([seen(what="ended: \x00")])

    assert store.snapshot().replicas == (replica,)
    assert store.snapshot().failed == (failed,)
    assert store.decisions(ServiceName("chat"), 1)[0].where == "\x00"
    assert store.observations("chat", 1)[0].what == "ended: \x00"


def _refused(store: Store, changes: Changes, device: str) -> None:
    before = store.snapshot()
    with pytest.raises(StoreError, match=device):
        store.commit(before.version, changes)
    assert store.snapshot() == before


def test_safety_1_bindings_never_exceed_a_device(opener: Opener) -> None:
    """Safety property 1: a commit that binds more memory, a core twice or a whole device twice is refused, whole."""
    store = opener()
    store.commit(0, Changes(nodes=(a_node(),), replicas=(a_replica("a-1", a_binding(0, memory_bytes=5 * GIB)),)))
    store.commit(1, Changes(replicas=(a_replica("a-2", a_binding(device=CARD)),)))

    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(1, memory_bytes=4 * GIB)),)), CPU)
    _refused(store, Changes(services=(a_service(),), replicas=(a_replica("b-1", a_binding(0)),)), CPU)
    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(9)),)), CPU)
    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(1), a_binding(1)),)), CPU)
    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(device=CPU)),)), CPU)
    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(device=CARD)),)), CARD)
    _refused(store, Changes(replicas=(a_replica("b-1", a_binding(1)),), drop_nodes=(NodeId("laptop"),)), CPU)

    swap = Changes(replicas=(a_replica("b-1", a_binding(0)),), drop_replicas=(ReplicaId("a-1"),))
    assert store.commit(2, swap) == 3


def test_a_device_that_shrinks_under_its_bindings_is_recorded(opener: Opener) -> None:
    """A fact cannot be refused: less memory than is bound is stored, phases still move, new bindings are refused."""
    store = opener()
    replica = a_replica("a-1", a_binding(0, memory_bytes=5 * GIB))
    store.commit(0, Changes(nodes=(a_node(),), replicas=(replica,)))

    assert store.commit(1, Changes(nodes=(a_node(memory_bytes=2 * GIB),))) == 2
    assert store.commit(2, Changes(replicas=(replace(replica, phase=ReplicaPhase.READY),))) == 3
    _refused(store, Changes(replicas=(a_replica("a-2", a_binding(1, memory_bytes=1)),)), CPU)
    assert store.commit(3, Changes(drop_nodes=(NodeId("laptop"),))) == 4


def test_a_snapshot_sees_what_another_store_committed(opener: Opener) -> None:
    """The kept view is right when another handle moved the version, and is the same object when nobody did."""
    mine, other = opener(), opener()
    mine.snapshot()
    other.commit(0, Changes(services=(a_service(),)))

    assert mine.snapshot().services == (a_service(),)
    other.append([seen()])
    assert mine.snapshot() == mine.snapshot()
