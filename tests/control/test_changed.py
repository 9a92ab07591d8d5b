"""The history of tenants, projects and keys: what was changed, from what to what, by whom; together with the change."""

from alliage.control.keys import KeyChange, KeyOrder
from alliage.control.limiting import Limit, LimitsOrder
from alliage.control.projects import ProjectOrder
from alliage.control.tenancy import TenantOrder
from alliage.fleet.limits import Limits, Priority
from alliage.fleet.tenants import Guarantee
from tests.builders import a_node
from tests.control.world import World


def _limits(limits: Limits, *lifts: Limit) -> LimitsOrder:
    return LimitsOrder(put=limits, lifts=frozenset(lifts))


def test_a_tenants_changes_are_told() -> None:
    """Each with both values and the key that asked; a dry run and what changes nothing tell nothing."""
    world = World(a_node())
    registry, started_s = world.desk.registry, world.clock.now_s()
    some = Limits(requests_per_minute=600, day_micros=50_000_000, models=("a", "b"))
    registry.set_tenant(TenantOrder(name="t", limits=_limits(some), dry_run=True), who="ann")
    registry.set_tenant(TenantOrder(name="t", limits=_limits(some)), who="ann")
    registry.set_tenant(TenantOrder(name="t", limits=_limits(some)), who="bob")
    registry.set_tenant(TenantOrder(name="t", logs_prompts=True, weight=2.0), who="bob")
    both = (Guarantee(chips=("nvidia-h20", "huawei-910b"), devices=8, site="hall"),)
    lifted = _limits(Limits(), Limit.DAY_MICROS, Limit.MODELS)
    registry.set_tenant(TenantOrder(name="t", guarantees=both, limits=lifted))
    registry.drop_tenant("t", dry_run=True, who="ann")
    registry.drop_tenant("t", who="ann")
    told = world.desk.history("tenant:t", 9)
    assert [each.what for each in reversed(told)] == [
        "requests_per_minute none -> 600, models none -> a b, day_micros none -> 50000000 (by the key ann)",
        "weight 1 -> 2, its prompts are logged (by the key bob)",
        "guarantees none -> nvidia-h20+huawei-910b:8@hall, models a b -> none, day_micros 50000000 -> none",
        (
            "weight 2 -> 1, guarantees nvidia-h20+huawei-910b:8@hall -> none, requests_per_minute 600 -> none, its prompts are "
            "not logged any more (by the key ann)"
        ),
    ]
    assert all(each.at_s == started_s for each in told)


def test_a_projects_and_a_keys_changes_are_told() -> None:
    """A key's by its name while it is there, by its id afterwards too; its secret and digest are in none of them."""
    world = World(a_node())
    registry = world.desk.registry
    registry.set_project(ProjectOrder(tenant="t", name="web", limits=_limits(Limits(parallel=3))), who="ann")
    registry.drop_project("t", "web", who="ann")
    assert [each.what for each in world.desk.history("project:t/web", 9)] == [
        "parallel 3 -> none (by the key ann)",
        "parallel none -> 3 (by the key ann)",
    ]
    key, secret = registry.create_key(
        KeyOrder(name="ci", tenant="t", project="web", limits=_limits(Limits(parallel=4))), who="ann"
    )
    registry.change_key(KeyChange(key="ci", priority=Priority.BATCH, project=""), who="bob")
    by_name = world.desk.history("key:ci", 9)
    registry.revoke_key("ci", dry_run=True, who="bob")
    registry.revoke_key("ci", who="bob")
    told = world.desk.history(f"key:{key.id}", 9)
    assert by_name == told[1:]
    assert [each.what for each in reversed(told)] == [
        "'ci' was made: role user, tenant t, project none -> web, priority none -> standard, parallel none -> 4 (by the key ann)",
        "project web -> none, priority standard -> batch (by the key bob)",
        "'ci' was revoked (by the key bob)",
    ]
    assert not any(word in each.what for each in told for word in (secret, key.sha256))
