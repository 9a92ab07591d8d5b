"""Tenants: those there are, and orders that change what one has a right to. Pure.

A tenant needs no making: whoever a key, a project or a service names is one, with the defaults of `Tenant`. What is set beyond
them is kept in the store; dropping a tenant takes that away, so that one who is still named has the defaults again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite
from typing import Final

from alliage.catalog.records import Chip
from alliage.control.limiting import AS_IT_WAS, LimitsOrder, ordered_limits
from alliage.control.names import check_plain
from alliage.errors import BadInput, NotFound
from alliage.fleet.tenants import Guarantee, Tenant
from alliage.fleet.view import FleetView

TIER_MAX: Final = 9
WEIGHT_MAX: Final = 1e6
GUARANTEES_MAX: Final = 100
DEVICES_MAX: Final = 1_000_000
BUDGET_MICROS_MAX: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOrder:
    """What is to be set of a tenant; None: as it was. `guarantees` are all of them from then on."""

    name: str
    tier: int | None = None
    weight: float | None = None
    guarantees: tuple[Guarantee, ...] | None = None
    budget_micros: int | None = None
    """Of an hour."""
    lifts_budget: bool = False
    """Whether there is to be no limit any more."""
    limits: LimitsOrder = AS_IT_WAS
    logs_prompts: bool | None = None
    dry_run: bool = False


def known_tenants(view: FleetView) -> tuple[Tenant, ...]:
    """Those of whom something is set, and those whom services, keys and projects name, by name."""
    named = {each.tenant for nouns in (view.services, view.keys, view.projects) for each in nouns}
    found = {name: Tenant(name=name) for name in named} | {tenant.name: tenant for tenant in view.tenants}
    return tuple(found[name] for name in sorted(found))


def tenant_named(name: str, view: FleetView) -> Tenant:
    """The tenant of that name; raises NotFound naming the ones there are."""
    tenants = known_tenants(view)
    found = next((tenant for tenant in tenants if tenant.name == name), None)
    if found is None:
        known = ", ".join(tenant.name for tenant in tenants) or "none"
        raise NotFound(f"there is no tenant {name!r}", remedy=f"tenants: {known}")
    return found


def stored_tenant(name: str, view: FleetView) -> Tenant:
    """What is set of it; one of the defaults where nothing is."""
    return next((tenant for tenant in view.tenants if tenant.name == name), Tenant(name=name))


def ordered_tenant(order: TenantOrder, view: FleetView, chips: Mapping[str, Chip]) -> Tenant:
    """The tenant as it would be; raises BadInput for what means nothing and chips that the catalogue has not."""
    check_plain(order.name, "a tenant")
    old = stored_tenant(order.name, view)
    budget_micros = old.budget_micros if order.budget_micros is None else order.budget_micros
    tenant = replace(
        old,
        tier=old.tier if order.tier is None else order.tier,
        weight=old.weight if order.weight is None else order.weight,
        guarantees=old.guarantees if order.guarantees is None else order.guarantees,
        budget_micros=None if order.lifts_budget else budget_micros,
        limits=ordered_limits(order.limits, old.limits),
        logs_prompts=old.logs_prompts if order.logs_prompts is None else order.logs_prompts,
    )
    _check(tenant)
    for guarantee in tenant.guarantees:
        _check_guarantee(guarantee, chips)
    return tenant


def doubts(tenant: Tenant, view: FleetView) -> tuple[str, ...]:
    """What of a tenant's guarantees the fleet cannot keep as it is: sites without a node, fewer devices than promised."""
    there = {node.site for node in view.nodes}
    found: list[str] = []
    for guarantee in tenant.guarantees:
        if guarantee.site and guarantee.site not in there:
            sites = ", ".join(sorted(there)) or "none, for no node has joined"
            found.append(f"no node is at the site {guarantee.site!r}; sites there are: {sites}")
            continue
        devices = sum(
            1
            for node in view.nodes
            for device in node.devices
            if device.chip in guarantee.chips and guarantee.site in ("", node.site)
        )
        if devices < guarantee.devices:
            where = f" at {guarantee.site}" if guarantee.site else ""
            found.append(f"{guarantee.devices} of {' or '.join(guarantee.chips)}{where}, and {devices} are there")
    return tuple(found)


def _check(tenant: Tenant) -> None:
    if not 0 <= tenant.tier <= TIER_MAX:
        raise BadInput(f"tier {tenant.tier}", remedy=f"give 0 (kept first) to {TIER_MAX}")
    if not isfinite(tenant.weight) or not 0 < tenant.weight <= WEIGHT_MAX:
        raise BadInput(f"weight {tenant.weight}", remedy=f"give more than 0 and at most {WEIGHT_MAX:.0f}")
    if tenant.budget_micros is not None and not 0 <= tenant.budget_micros <= BUDGET_MICROS_MAX:
        raise BadInput(
            f"a budget of {tenant.budget_micros} micros an hour",
            remedy=f"give 0 to {BUDGET_MICROS_MAX // 10**6} an hour, or none for no limit",
        )
    if len(tenant.guarantees) > GUARANTEES_MAX:
        raise BadInput(f"{len(tenant.guarantees)} guarantees", remedy=f"give at most {GUARANTEES_MAX}")


def _check_guarantee(guarantee: Guarantee, chips: Mapping[str, Chip]) -> None:
    if not 1 <= guarantee.devices <= DEVICES_MAX:
        raise BadInput(f"a guarantee of {guarantee.devices} devices", remedy=f"give 1 to {DEVICES_MAX}")
    if not guarantee.chips or len(set(guarantee.chips)) < len(guarantee.chips):
        raise BadInput(f"a guarantee of {list(guarantee.chips)}", remedy="name one chip or more, each once")
    for name in guarantee.chips:
        if name not in chips:
            near = get_close_matches(name, chips, n=1)
            remedy = f"did you mean {near[0]}?" if near else "`alliage chips` lists them"
            raise BadInput(f"there is no chip {name!r} in the catalogue", remedy=remedy)
