"""Routes of tenants, for admins."""

from fastapi import APIRouter

from alliage.control.tenancy import tenant_named
from alliage.faces.admin.access import Admin, Asked
from alliage.faces.admin.bodies import PlainName
from alliage.faces.admin.tell_tenants import tell_tenant, tell_tenants
from alliage.faces.admin.tenant_answers import TenantAnswer, TenantsAnswer, TenantSetAnswer
from alliage.faces.admin.tenant_bodies import TenantBody, tenant_order_of

router = APIRouter(prefix="/v1/tenants", tags=["tenants"])


@router.get("", summary="List tenants")
async def tenants(desk: Asked, _key: Admin) -> TenantsAnswer:
    """Those of whom something is set, and those whom services, keys and projects name."""
    return TenantsAnswer(tenants=tell_tenants(desk.view()))


@router.get("/{name}", summary="Read one tenant")
async def tenant(name: str, desk: Asked, _key: Admin) -> TenantAnswer:
    """What it has a right to, and what it has."""
    view = desk.view()
    return tell_tenant(tenant_named(name, view), view)


@router.patch("/{name}", summary="Set what a tenant has a right to, and its limits")
async def change(name: PlainName, body: TenantBody, desk: Asked, key: Admin) -> TenantSetAnswer:
    """What is left out stays as it was. A tenant that nothing names yet may be set too: it is there from then on."""
    changed = desk.registry.set_tenant(tenant_order_of(body, name=name), who=key.name)
    return TenantSetAnswer(dry_run=body.dry_run, tenant=tell_tenant(changed, desk.view()))


@router.delete("/{name}", summary="Drop what was set of a tenant")
async def drop(name: str, desk: Asked, key: Admin, *, dry_run: bool = False) -> TenantAnswer:
    """It has the defaults again. Its services, keys and projects stay; where it has none, it is gone."""
    dropped = desk.registry.drop_tenant(name, dry_run=dry_run, who=key.name)
    return tell_tenant(dropped, desk.view())
