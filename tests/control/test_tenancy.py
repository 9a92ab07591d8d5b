"""Tenants at the desk: who there is, what is set of one, and what is said to what may not be."""

from dataclasses import replace

import pytest

from alliage.control.keys import KeyOrder
from alliage.control.ports import Changes
from alliage.control.tenancy import TenantOrder, doubts, known_tenants
from alliage.errors import BadInput, NotFound
from alliage.fleet.keys import Role
from alliage.fleet.tenants import Guarantee, Tenant
from tests.builders import a_node
from tests.control.world import World


def a_world() -> World:
    """One laptop at the site `local`."""
    world = World(a_node())
    world.run(1)
    return world


def test_whoever_is_named_is_a_tenant() -> None:
    """Services and keys make tenants of the defaults; what is set stands beside them."""
    world = a_world()
    assert known_tenants(world.desk.view()) == ()
    world.deploy("tiny")
    world.desk.registry.create_key(KeyOrder(name="ci", role=Role.USER, tenant="research"))
    world.desk.registry.set_tenant(TenantOrder(name="sales", tier=1))
    assert known_tenants(world.desk.view()) == (
        Tenant(name="default"),
        Tenant(name="research"),
        Tenant(name="sales", tier=1),
    )


def test_what_is_left_out_stays() -> None:
    """Setting one thing leaves the others; guarantees are replaced together; a limit can be lifted."""
    desk = a_world().desk
    first = Guarantee(chips=("cpu-x86",), devices=1)
    desk.registry.set_tenant(TenantOrder(name="a", tier=2, guarantees=(first,), budget_micros=40_000_000))
    desk.registry.set_tenant(TenantOrder(name="a", weight=3.0))
    assert known_tenants(desk.view()) == (
        Tenant(name="a", tier=2, weight=3.0, guarantees=(first,), budget_micros=40_000_000),
    )
    tenant = desk.registry.set_tenant(TenantOrder(name="a", guarantees=(), lifts_budget=True))
    assert tenant == Tenant(name="a", tier=2, weight=3.0)


def test_a_dry_run_changes_nothing() -> None:
    """It is checked and told, and the version stays; so it does when nothing changes."""
    desk = a_world().desk
    version = desk.view().version
    tenant = desk.registry.set_tenant(TenantOrder(name="a", tier=1, dry_run=True))
    assert (tenant.tier, desk.view().version, known_tenants(desk.view())) == (1, version, ())
    desk.registry.set_tenant(TenantOrder(name="a", tier=1))
    desk.registry.set_tenant(TenantOrder(name="a", tier=1))
    assert desk.view().version == version + 1


def test_what_the_fleet_cannot_keep_is_told_and_kept() -> None:
    """A site without a node and devices that are not there are a doubt, not a refusal: they may come."""
    desk = a_world().desk
    cpu = Guarantee(chips=("cpu-x86", "nvidia-h20"), devices=1, site="local")
    assert doubts(desk.registry.set_tenant(TenantOrder(name="a", guarantees=(cpu,))), desk.view()) == ()
    many = (replace(cpu, devices=8), replace(cpu, site="moon"), replace(cpu, chips=("nvidia-h20",), site=""))
    tenant = desk.registry.set_tenant(TenantOrder(name="a", guarantees=many))
    assert known_tenants(desk.view()) == (tenant,)
    assert doubts(tenant, desk.view()) == (
        "8 of cpu-x86 or nvidia-h20 at local, and 1 are there",
        "no node is at the site 'moon'; sites there are: local",
        "1 of nvidia-h20, and 0 are there",
    )


@pytest.mark.parametrize(
    "order",
    [
        TenantOrder(name="a", tier=-1),
        TenantOrder(name="a", tier=10),
        TenantOrder(name="a", weight=0.0),
        TenantOrder(name="a", weight=float("nan")),
        TenantOrder(name="a", weight=float("inf")),
        TenantOrder(name="a", budget_micros=-1),
        TenantOrder(name="a", budget_micros=10**20),
        TenantOrder(name="a", guarantees=(Guarantee(chips=("cpu-x86",), devices=0),)),
        TenantOrder(name="a", guarantees=(Guarantee(chips=("cpu-x86",), devices=10**9),)),
        TenantOrder(name="a", guarantees=(Guarantee(chips=(), devices=1),)),
        TenantOrder(name="a", guarantees=(Guarantee(chips=("cpu-x86", "cpu-x86"), devices=1),)),
        TenantOrder(name="a", guarantees=(Guarantee(chips=("cpu-x86",), devices=1),) * 101),
    ],
)
def test_absurd_rights_are_refused(order: TenantOrder) -> None:
    """Negative, NaN and huge values get a clear no, and nothing is kept."""
    desk = a_world().desk
    with pytest.raises(BadInput):
        desk.registry.set_tenant(order)
    assert known_tenants(desk.view()) == ()


def test_an_unknown_chip_is_refused_with_a_near_one() -> None:
    """A guarantee of a chip that the catalogue does not know would never be kept."""
    with pytest.raises(BadInput, match="nvidia-h2O") as raised:
        a_world().desk.registry.set_tenant(
            TenantOrder(name="a", guarantees=(Guarantee(chips=("nvidia-h2O",), devices=1),))
        )
    assert "nvidia-h20" in raised.value.remedy


def test_a_dropped_tenant_has_the_defaults_again() -> None:
    """What was set goes; who is still named by a service or a key stays, with the defaults; others are gone."""
    world = a_world()
    world.desk.registry.create_key(KeyOrder(name="ci", role=Role.USER, tenant="research"))
    version = world.store.snapshot().version
    world.store.commit(version, Changes(tenants=(Tenant(name="research", tier=3), Tenant(name="sales"))))

    assert world.desk.registry.drop_tenant("research") == Tenant(name="research")
    world.desk.registry.drop_tenant("research")
    world.desk.registry.drop_tenant("sales")

    assert known_tenants(world.desk.view()) == (Tenant(name="research"),)
    with pytest.raises(NotFound, match="research"):
        world.desk.registry.drop_tenant("sales")
