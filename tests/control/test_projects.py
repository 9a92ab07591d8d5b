"""Projects at the desk: which there are, what is set and dropped, and what that changes of their tenants."""

import pytest

from alliage.control.keys import KeyOrder
from alliage.control.limiting import Limit, LimitsOrder
from alliage.control.projects import ProjectOrder, known_projects
from alliage.control.tenancy import TenantOrder, known_tenants
from alliage.errors import BadInput, NotFound
from alliage.fleet.limits import Limits
from alliage.fleet.tenants import Project, Tenant
from tests.builders import a_node
from tests.control.world import World

HUNDRED = LimitsOrder(put=Limits(requests_per_minute=100))


def test_whatever_a_key_names_is_a_project() -> None:
    """Without limits; what is set stands beside them, and makes its tenant one."""
    desk = World(a_node()).desk
    desk.registry.create_key(KeyOrder(tenant="acme", project="web"))
    desk.registry.create_key(KeyOrder(tenant="acme"))
    made = desk.registry.set_project(ProjectOrder(tenant="sales", name="web", limits=HUNDRED))
    view = desk.view()
    assert known_projects(view) == (Project(tenant="acme", name="web"), made)
    assert known_projects(view, "sales") == (made,)
    assert made.limits == Limits(requests_per_minute=100)
    assert known_tenants(view) == (Tenant(name="acme"), Tenant(name="sales"))


def test_limits_of_a_project_are_set_kept_and_lifted() -> None:
    """What is left out stays; a dry run and what changes nothing leave the version."""
    desk = World(a_node()).desk
    desk.registry.set_project(ProjectOrder(tenant="acme", name="web", limits=HUNDRED))
    version = desk.view().version
    parallel = LimitsOrder(put=Limits(parallel=3), lifts=frozenset({Limit.REQUESTS_PER_MINUTE}))
    dry = desk.registry.set_project(ProjectOrder(tenant="acme", name="web", limits=parallel, dry_run=True))
    assert dry.limits == Limits(parallel=3)
    desk.registry.set_project(ProjectOrder(tenant="acme", name="web", limits=HUNDRED))
    assert desk.view().version == version
    desk.registry.set_project(ProjectOrder(tenant="acme", name="web", limits=parallel))
    assert known_projects(desk.view()) == (dry,)


def test_a_dropped_project_has_no_limits() -> None:
    """It stays while a key names it, else it is gone; a project of another tenant is another one."""
    desk = World(a_node()).desk
    for tenant in ("acme", "sales"):
        desk.registry.set_project(ProjectOrder(tenant=tenant, name="web", limits=HUNDRED))
    desk.registry.create_key(KeyOrder(tenant="acme", project="web"))
    before = desk.view()
    desk.registry.drop_project("acme", "web", dry_run=True)
    assert desk.view() == before
    assert desk.registry.drop_project("acme", "web") == Project(tenant="acme", name="web")
    assert [project.limits for project in known_projects(desk.view())] == [Limits(), Limits(requests_per_minute=100)]
    desk.registry.drop_project("sales", "web")
    with pytest.raises(NotFound, match="the tenant 'sales' has no project 'web'"):
        desk.registry.drop_project("sales", "web")


@pytest.mark.parametrize(("tenant", "name"), [("acme", "a/b"), ("acme", ""), ("a b", "web"), ("acme", "key-1")])
def test_names_of_projects_are_plain(tenant: str, name: str) -> None:
    """They stand in addresses and scopes."""
    with pytest.raises(BadInput, match="cannot be the name of"):
        World(a_node()).desk.registry.set_project(ProjectOrder(tenant=tenant, name=name, limits=HUNDRED))


def test_limits_of_a_tenant_are_set_beside_its_rights() -> None:
    """Setting rights leaves limits, setting limits leaves rights; dropping the tenant lifts both and leaves its projects."""
    desk = World(a_node()).desk
    desk.registry.set_project(ProjectOrder(tenant="acme", name="web", limits=HUNDRED))
    desk.registry.set_tenant(TenantOrder(name="acme", weight=2.0))
    desk.registry.set_tenant(TenantOrder(name="acme", limits=HUNDRED))
    tenant = desk.registry.set_tenant(TenantOrder(name="acme", tier=1))
    assert tenant == Tenant(name="acme", tier=1, weight=2.0, limits=Limits(requests_per_minute=100))
    assert desk.registry.drop_tenant("acme") == Tenant(name="acme")
    assert [project.limits for project in known_projects(desk.view())] == [Limits(requests_per_minute=100)]
