"""Tenants and their projects: who asks for services, what each has a right to, and how much each may use."""

from dataclasses import dataclass

from alliage.fleet.limits import UNLIMITED, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """`devices` devices of any of `chips`, at one `site` or (empty) wherever they are, that a tenant has a right to."""

    chips: tuple[str, ...]
    devices: int
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A division of the house or a customer. Guarantees of tier 0 are kept before those of tier 1, and so on.

    `weight` is its share of what is beyond guarantees, against the other tenants'. `budget_micros` is the most its
    devices may cost an hour; None for no limit.
    """

    name: str
    tier: int = 0
    weight: float = 1.0
    guarantees: tuple[Guarantee, ...] = ()
    budget_micros: int | None = None
    limits: Limits = UNLIMITED
    """Of all that its keys ask for together."""
    logs_prompts: bool = False
    """Whether gateways write its prompts in their access log. Nobody's are, unless an admin says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A part of a tenant's work that keys may belong to. `limits` hold for all its keys together, beside the tenant's."""

    tenant: str
    name: str
    limits: Limits = UNLIMITED
