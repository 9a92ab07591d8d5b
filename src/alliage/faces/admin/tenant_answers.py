"""What the admin API answers about tenants. As `answers`: also read by the CLI."""

from alliage.faces.admin.answers import Answer
from alliage.faces.admin.limit_answers import LimitsAnswer


class GuaranteeAnswer(Answer):
    """`devices` devices of any of `chips`, at `site` or ("") wherever they are."""

    chips: tuple[str, ...]
    devices: int
    site: str


class TenantAnswer(Answer):
    """Who asks, and what it has a right to. Guarantees of tier 0 are kept before those of tier 1."""

    name: str
    tier: int
    weight: float
    """Its share of what is beyond guarantees, against the other tenants'."""
    guarantees: tuple[GuaranteeAnswer, ...]
    budget_micros: int | None
    """The most that its devices may cost an hour; null: no limit."""
    limits: LimitsAnswer
    """Of all its keys together."""
    logs_prompts: bool
    """Whether gateways write its prompts in their access log."""
    projects: tuple[str, ...]
    services: tuple[str, ...]
    keys: tuple[str, ...]
    devices: int
    """Of which its replicas have a part or all now."""
    doubts: tuple[str, ...]
    """What of its guarantees the fleet cannot keep as it is now."""
    limit_doubts: tuple[str, ...]
    """What of its limits is probably not meant."""


class TenantsAnswer(Answer):
    """Everyone of whom something is set, or whom a service, a key or a project names, by name."""

    tenants: tuple[TenantAnswer, ...]


class TenantSetAnswer(Answer):
    """The tenant as it is from now on, or would be in a dry run."""

    dry_run: bool
    tenant: TenantAnswer
