"""What the admin API answers about limits. As `answers`: also read by the CLI."""

from alliage.faces.admin.answers import Answer


class LimitsAnswer(Answer):
    """What may be used; null: no limit of this kind. Money is in millionths, days and months are UTC's."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    """Of prompts and answers together."""
    parallel: int | None
    """Requests in work at once."""
    context_tokens: int | None
    """Prompt and answer of one request."""
    models: tuple[str, ...] | None
    """Services that may be asked for."""
    day_micros: int | None
    month_micros: int | None


class UsedAnswer(Answer):
    """What was used, over all gateways; null: not counted."""

    requests_last_minute: int | None
    tokens_last_minute: int | None
    parallel: int | None
    """Requests in work now."""
    day_micros: int | None
    """Charged in this day of UTC."""
    month_micros: int | None


class ScopedLimitsAnswer(Answer):
    """The limits of a tenant, a project or a key (by name). `used` is left out where nobody counted it."""

    scope: str
    """`tenant:NAME`, `project:TENANT/NAME` or `key:ID`."""
    kind: str
    tenant: str
    project: str
    key: str
    limits: LimitsAnswer
    used: UsedAnswer | None = None


class ScopesAnswer(Answer):
    """Limits by whom they are for."""

    scopes: tuple[ScopedLimitsAnswer, ...]
