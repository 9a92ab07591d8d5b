"""What the admin API accepts about tenants. As `bodies`."""

from typing import Annotated

from pydantic import Field

from alliage.control.tenancy import TenantOrder
from alliage.faces.admin.bodies import Body
from alliage.faces.admin.limit_bodies import LimitsBody, limits_order_of
from alliage.fleet.tenants import Guarantee

Word = Annotated[str, Field(min_length=1, max_length=100)]


class GuaranteeBody(Body):
    """`devices` devices of any of `chips` of the catalogue, at one `site` or (left out) wherever they are."""

    chips: Annotated[list[Word], Field(min_length=1, max_length=100)]
    devices: int
    site: Annotated[str, Field(max_length=100)] = ""


class TenantBody(Body):
    """What is to be set of a tenant; what is left out stays as it was."""

    tier: int | None = None
    """Guarantees of tier 0 are kept before those of tier 1, and so on."""
    weight: float | None = None
    """Its share of what is beyond guarantees, against the other tenants'."""
    guarantees: list[GuaranteeBody] | None = None
    """All of them; an empty list takes them away."""
    budget_micros: int | None = None
    """The most that its devices may cost an hour, in millionths of the currency; null: no limit."""
    limits: LimitsBody | None = None
    """Of all its keys together."""
    logs_prompts: bool | None = None
    """Whether gateways are to write its prompts in their access log, where there is one."""
    dry_run: bool = False
    """Check and tell, change nothing."""


def tenant_order_of(body: TenantBody, *, name: str) -> TenantOrder:
    """The order that a body stands for."""
    guarantees = body.guarantees
    return TenantOrder(
        name=name,
        tier=body.tier,
        weight=body.weight,
        guarantees=None
        if guarantees is None
        else tuple(Guarantee(chips=tuple(each.chips), devices=each.devices, site=each.site) for each in guarantees),
        budget_micros=body.budget_micros,
        lifts_budget="budget_micros" in body.model_fields_set and body.budget_micros is None,
        limits=limits_order_of(body.limits),
        logs_prompts=body.logs_prompts,
        dry_run=body.dry_run,
    )
