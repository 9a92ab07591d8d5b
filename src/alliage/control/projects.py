"""Projects: those there are, and orders that set their limits. Pure.

As a tenant, a project needs no making: whichever a key names is one, without limits. What is set is kept in the store.
"""

from dataclasses import dataclass, replace

from alliage.control.limiting import AS_IT_WAS, LimitsOrder, ordered_limits
from alliage.control.names import check_plain
from alliage.errors import NotFound
from alliage.fleet.tenants import Project
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOrder:
    """What is to be set of a project; it need not be there yet."""

    tenant: str
    name: str
    limits: LimitsOrder = AS_IT_WAS
    dry_run: bool = False


def known_projects(view: FleetView, tenant: str | None = None) -> tuple[Project, ...]:
    """Those of whom something is set, and those that keys name, of one tenant or (None) of all; by tenant and name."""
    named = {(key.tenant, key.project) for key in view.keys if key.project}
    found = {(owner, name): Project(tenant=owner, name=name) for owner, name in named}
    found |= {(project.tenant, project.name): project for project in view.projects}
    return tuple(found[each] for each in sorted(found) if tenant in (None, each[0]))


def project_named(tenant: str, name: str, view: FleetView) -> Project:
    """The project of that name; raises NotFound naming the ones that the tenant has."""
    projects = known_projects(view, tenant)
    found = next((project for project in projects if project.name == name), None)
    if found is None:
        known = ", ".join(project.name for project in projects) or "none"
        raise NotFound(f"the tenant {tenant!r} has no project {name!r}", remedy=f"projects of {tenant}: {known}")
    return found


def stored_project(tenant: str, name: str, view: FleetView) -> Project:
    """What is set of it; one without limits where nothing is."""
    new = Project(tenant=tenant, name=name)
    return next((each for each in view.projects if (each.tenant, each.name) == (tenant, name)), new)


def ordered_project(order: ProjectOrder, view: FleetView) -> Project:
    """The project as it would be; raises BadInput."""
    check_plain(order.tenant, "a tenant")
    check_plain(order.name, "a project")
    old = stored_project(order.tenant, order.name, view)
    return replace(old, limits=ordered_limits(order.limits, old.limits))
