"""What a tenant, a project or a key may use, and the leases by which the gateways hold to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Scope = NewType("Scope", str)
"""Whom limits are for: `tenant:NAME`, `project:TENANT/NAME` or `key:ID`. Leases are also for `service:NAME`."""


class Priority(StrEnum):
    """Whose requests of one tenant go first where a service is saturated."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: no limit of this kind. Money is in millionths of the installation's currency, days and months are UTC's."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompts and answers together."""
    parallel: int | None = None
    """Requests in work at once."""
    context_tokens: int | None = None
    """Prompt and answer of one request."""
    models: tuple[str, ...] | None = None
    """Services that may be asked for."""
    day_micros: int | None = None
    month_micros: int | None = None


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One gateway process's share of a scope's limits, until another one comes. None: not limited."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    parallel: int | None = None
    spend_until_micros: int | None = None
    """It may go on while its `Use.micros` is below this."""
    limit: str = ""
    """Which limit of money this is: `day` or `month`; "" where none is."""
    resets_s: float = 0.0
    """When that one begins anew, seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one gateway process saw of a scope since it began: sums that only grow, but for `parallel`, which is now's."""

    requests: int = 0
    tokens: int = 0
    micros: int = 0
    refused: int = 0
    parallel: int = 0


def tenant_scope(tenant: str) -> Scope:
    """The scope of a whole tenant."""
    return Scope(f"tenant:{tenant}")


def project_scope(tenant: str, project: str) -> Scope:
    """The scope of one of its projects."""
    return Scope(f"project:{tenant}/{project}")


def key_scope(key: str) -> Scope:
    """The scope of one key."""
    return Scope(f"key:{key}")


def service_scope(service: str) -> Scope:
    """The slots of one service's replicas, which gateway processes share like a limit of `parallel`."""
    return Scope(f"service:{service}")
