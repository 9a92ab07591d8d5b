"""Keys at the desk: their project, priority and limits; names that are made up; dry runs."""

import pytest

from alliage.control.keys import KeyChange, KeyOrder, digest
from alliage.control.limiting import Limit, LimitsOrder
from alliage.errors import BadInput, Conflict, NotFound
from alliage.fleet.keys import Role
from alliage.fleet.limits import Limits, Priority
from tests.builders import a_node
from tests.control.world import World

SIXTY = LimitsOrder(put=Limits(requests_per_minute=60))


def test_a_key_is_of_a_tenant_and_a_project_with_a_priority_and_limits() -> None:
    """All of it is kept and found by the secret, of which only the digest is; the project needs no making."""
    registry = World(a_node()).desk.registry
    order = KeyOrder(name="ci", tenant="acme", project="web", priority=Priority.INTERACTIVE, limits=SIXTY)
    key, secret = registry.create_key(order)
    assert (key.tenant, key.project, key.priority) == ("acme", "web", Priority.INTERACTIVE)
    assert key.limits == Limits(requests_per_minute=60)
    assert key.sha256 == digest(secret)
    assert secret not in repr(key)
    assert registry.key_of(secret) == key


def test_what_is_left_out_of_a_change_stays() -> None:
    """Limits, priority and project change one by one; the secret stays good, and so do tenant and role."""
    registry = World(a_node()).desk.registry
    _, secret = registry.create_key(KeyOrder(name="ci", role=Role.ADMIN, tenant="acme", project="web", limits=SIXTY))
    registry.change_key(KeyChange(key="ci", priority=Priority.BATCH))
    changed = registry.change_key(KeyChange(key="ci", limits=LimitsOrder(put=Limits(parallel=2))))
    assert registry.key_of(secret) == changed
    assert (changed.role, changed.tenant, changed.project) == (Role.ADMIN, "acme", "web")
    assert (changed.priority, changed.limits) == (Priority.BATCH, Limits(requests_per_minute=60, parallel=2))
    lifts = LimitsOrder(lifts=frozenset({Limit.REQUESTS_PER_MINUTE}))
    changed = registry.change_key(KeyChange(key=changed.id, project="", limits=lifts))
    assert (changed.project, changed.limits) == ("", Limits(parallel=2))


def test_dry_runs_change_nothing() -> None:
    """Neither making, changing nor revoking; the version stays, and so it does where a change is none."""
    world = World(a_node())
    registry = world.desk.registry
    key, _ = registry.create_key(KeyOrder(name="ci"))
    version = world.desk.view().version
    made, secret = registry.create_key(KeyOrder(name="new", dry_run=True))
    assert (made.name, made.id, made.sha256, secret) == ("new", "", "", "")
    assert registry.change_key(KeyChange(key="ci", project="web", dry_run=True)).project == "web"
    assert registry.change_key(KeyChange(key="ci", priority=Priority.STANDARD)) == key
    assert registry.revoke_key("ci", dry_run=True) == key
    assert (world.desk.view().version, world.desk.view().keys) == (version, (key,))
    with pytest.raises(Conflict, match="'ci' already"):
        registry.create_key(KeyOrder(name="ci", dry_run=True))


def test_names_are_made_up_where_none_is_given() -> None:
    """Of the tenant's, the project's and the least number that is free; never longer than a name may be."""
    registry = World(a_node()).desk.registry
    web = KeyOrder(tenant="acme", project="web")
    assert [registry.create_key(web)[0].name for _ in range(2)] == ["acme-web-1", "acme-web-2"]
    registry.revoke_key("acme-web-1")
    assert registry.create_key(web)[0].name == "acme-web-1"
    assert registry.create_key(KeyOrder())[0].name == "default-1"
    assert len(registry.create_key(KeyOrder(tenant="x" * 63, project="y" * 63))[0].name) <= 63


@pytest.mark.parametrize(
    "order",
    [
        KeyOrder(name="key-1"),
        KeyOrder(name="a b"),
        KeyOrder(name="ci", tenant=""),
        KeyOrder(name="ci", tenant="a/b"),
        KeyOrder(name="ci", project="a/b"),
        KeyOrder(name="ci", limits=LimitsOrder(put=Limits(parallel=0))),
    ],
)
def test_what_cannot_be_made_is_refused(order: KeyOrder) -> None:
    """And nothing is kept."""
    world = World(a_node())
    with pytest.raises(BadInput):
        world.desk.registry.create_key(order)
    assert world.desk.view().keys == ()


def test_what_cannot_be_changed_is_refused() -> None:
    """A key that is not there names those that are; a project that can be none is told."""
    registry = World(a_node()).desk.registry
    registry.create_key(KeyOrder(name="ci"))
    with pytest.raises(NotFound, match="'cd'") as missed:
        registry.change_key(KeyChange(key="cd", priority=Priority.BATCH))
    assert missed.value.remedy == "keys: ci"
    with pytest.raises(BadInput, match="'a/b' cannot be the name of a project"):
        registry.change_key(KeyChange(key="ci", project="a/b"))
