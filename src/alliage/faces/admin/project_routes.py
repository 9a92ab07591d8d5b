"""Routes of tenants' projects, for admins."""

from fastapi import APIRouter

from alliage.control.limiting import limit_doubts
from alliage.control.projects import ProjectOrder, known_projects, project_named
from alliage.control.tenancy import tenant_named
from alliage.faces.admin.access import Admin, Asked
from alliage.faces.admin.bodies import Body, PlainName
from alliage.faces.admin.limit_bodies import LimitsBody, limits_order_of
from alliage.faces.admin.project_answers import ProjectAnswer, ProjectsAnswer, ProjectSetAnswer
from alliage.faces.admin.tell_limits import tell_limits
from alliage.fleet.tenants import Project
from alliage.fleet.view import FleetView

router = APIRouter(prefix="/v1", tags=["projects"])


class ProjectBody(Body):
    """What is to be set of a project; what is left out stays as it was."""

    limits: LimitsBody | None = None
    dry_run: bool = False
    """Check and tell, change nothing."""


@router.get("/projects", summary="List the projects of all tenants")
async def all_projects(desk: Asked, _key: Admin) -> ProjectsAnswer:
    """Those of which something is set, and those that keys name."""
    view = desk.view()
    return ProjectsAnswer(projects=tuple(_project(each, view) for each in known_projects(view)))


@router.get("/tenants/{tenant}/projects", summary="List a tenant's projects")
async def projects(tenant: str, desk: Asked, _key: Admin) -> ProjectsAnswer:
    """As `GET /v1/projects`."""
    view = desk.view()
    found = known_projects(view, tenant_named(tenant, view).name)
    return ProjectsAnswer(projects=tuple(_project(each, view) for each in found))


@router.get("/tenants/{tenant}/projects/{name}", summary="Read one project")
async def project(tenant: str, name: str, desk: Asked, _key: Admin) -> ProjectAnswer:
    """Its limits and its keys."""
    view = desk.view()
    return _project(project_named(tenant, name, view), view)


@router.patch("/tenants/{tenant}/projects/{name}", summary="Set a project's limits")
async def change(tenant: PlainName, name: PlainName, body: ProjectBody, desk: Asked, key: Admin) -> ProjectSetAnswer:
    """What is left out stays as it was. A project that no key names yet may be set too: it is there from then on."""
    order = ProjectOrder(tenant=tenant, name=name, limits=limits_order_of(body.limits), dry_run=body.dry_run)
    changed = desk.registry.set_project(order, who=key.name)
    return ProjectSetAnswer(dry_run=body.dry_run, project=_project(changed, desk.view()))


@router.delete("/tenants/{tenant}/projects/{name}", summary="Drop what was set of a project")
async def drop(tenant: str, name: str, desk: Asked, key: Admin, *, dry_run: bool = False) -> ProjectAnswer:
    """Its limits are lifted. Its keys stay in it; where it has none, it is gone."""
    dropped = desk.registry.drop_project(tenant, name, dry_run=dry_run, who=key.name)
    return _project(dropped, desk.view())


def _project(project: Project, view: FleetView) -> ProjectAnswer:
    mine = (key for key in view.keys if (key.tenant, key.project) == (project.tenant, project.name))
    return ProjectAnswer(
        tenant=project.tenant,
        name=project.name,
        limits=tell_limits(project.limits),
        keys=tuple(key.name for key in mine),
        doubts=limit_doubts(project.limits, view),
    )
