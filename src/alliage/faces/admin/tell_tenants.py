"""Tenants -> answers. As `tell`: reads, decides nothing."""

from alliage.control.limiting import limit_doubts
from alliage.control.projects import known_projects
from alliage.control.tenancy import doubts, known_tenants
from alliage.faces.admin.tell_limits import tell_limits
from alliage.faces.admin.tenant_answers import GuaranteeAnswer, TenantAnswer
from alliage.fleet.tenants import Tenant
from alliage.fleet.view import FleetView


def tell_tenants(view: FleetView) -> tuple[TenantAnswer, ...]:
    """All tenants."""
    return tuple(tell_tenant(tenant, view) for tenant in known_tenants(view))


def tell_tenant(tenant: Tenant, view: FleetView) -> TenantAnswer:
    """One tenant, with what it has now."""
    services = tuple(service.name for service in view.services if service.tenant == tenant.name)
    replicas = (replica for name in services for replica in view.replicas_of(name))
    return TenantAnswer(
        name=tenant.name,
        tier=tenant.tier,
        weight=tenant.weight,
        guarantees=tuple(
            GuaranteeAnswer(chips=each.chips, devices=each.devices, site=each.site) for each in tenant.guarantees
        ),
        budget_micros=tenant.budget_micros,
        limits=tell_limits(tenant.limits),
        logs_prompts=tenant.logs_prompts,
        projects=tuple(project.name for project in known_projects(view, tenant.name)),
        services=services,
        keys=tuple(key.name for key in view.keys if key.tenant == tenant.name),
        devices=len({binding.device for replica in replicas for binding in replica.bindings}),
        doubts=doubts(tenant, view),
        limit_doubts=limit_doubts(tenant.limits, view),
    )
