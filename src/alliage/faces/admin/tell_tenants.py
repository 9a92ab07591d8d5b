"""Tenants -> answers. As `tell`: reads, decides nothing."""

from alliage.control.tenancy import doubts, known_tenants
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
        services=services,
        keys=tuple(key.name for key in view.keys if key.tenant == tenant.name),
        devices=len({binding.device for replica in replicas for binding in replica.bindings}),
        doubts=doubts(tenant, view),
    )
