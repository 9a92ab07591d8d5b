"""Limits: orders that set or lift those of a tenant, a project or a key, and whom they hold for. Pure.

Limits of all three hold at once for each request. None of them is there until somebody sets it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from alliage.control.names import SERVICE_NAME, SERVICE_NAME_RULE
from alliage.errors import BadInput
from alliage.fleet.keys import Key
from alliage.fleet.limits import UNLIMITED, Limits, Scope, key_scope, project_scope, tenant_scope
from alliage.fleet.view import FleetView

COUNT_MAX: Final = 10**9
TOKENS_MAX: Final = 10**12
MODELS_MAX: Final = 100
MONEY_MICROS_MAX: Final = 10**15
"""A thousand million of the currency."""


class Limit(StrEnum):
    """The kinds of limit, called as the fields of Limits are."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    PARALLEL = "parallel"
    CONTEXT_TOKENS = "context_tokens"
    MODELS = "models"
    DAY_MICROS = "day_micros"
    MONTH_MICROS = "month_micros"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOrder:
    """What is to be set of limits: those of `put` that are not None; those of `lifts` are to be none. Others: as they were."""

    put: Limits = UNLIMITED
    lifts: frozenset[Limit] = frozenset()


AS_IT_WAS: Final = LimitsOrder()


def ordered_limits(order: LimitsOrder, old: Limits) -> Limits:
    """The limits as they would be; raises BadInput for numbers that mean nothing and names that no service can have."""
    given = {field.name: getattr(order.put, field.name) for field in fields(Limits)}
    put = {name: value for name, value in given.items() if value is not None}
    limits = replace(old, **put | dict.fromkeys(order.lifts, None))
    for limit, least, most, word in _NUMBERS:
        _check_number(limit, getattr(limits, limit), least, most, word)
    if limits.models is not None:
        _check_models(limits.models)
    return limits


def limited_scopes(view: FleetView) -> Mapping[Scope, Limits]:
    """The limits of every tenant, project and key that has any; in this order, each by name or id."""
    found: dict[Scope, Limits] = {tenant_scope(tenant.name): tenant.limits for tenant in view.tenants}
    found |= {project_scope(project.tenant, project.name): project.limits for project in view.projects}
    found |= {key_scope(key.id): key.limits for key in view.keys}
    return {scope: limits for scope, limits in found.items() if limits != UNLIMITED}


def scopes_of(key: Key) -> tuple[Scope, ...]:
    """All whose limits hold for what is asked for with a key: its own, its project's, its tenant's."""
    project = (project_scope(key.tenant, key.project),) if key.project else ()
    return (key_scope(key.id), *project, tenant_scope(key.tenant))


def limit_doubts(limits: Limits, view: FleetView) -> tuple[str, ...]:
    """What of limits is probably not meant: models that are no service now (they may come)."""
    there = {str(service.name) for service in view.services}
    return tuple(f"there is no service {model!r} now" for model in limits.models or () if model not in there)


_NUMBERS: Final = (
    (Limit.REQUESTS_PER_MINUTE, 1, COUNT_MAX, "requests a minute"),
    (Limit.TOKENS_PER_MINUTE, 1, TOKENS_MAX, "tokens a minute"),
    (Limit.PARALLEL, 1, COUNT_MAX, "requests at once"),
    (Limit.CONTEXT_TOKENS, 1, COUNT_MAX, "tokens of one request"),
    (Limit.DAY_MICROS, 0, MONEY_MICROS_MAX, "micros a day"),
    (Limit.MONTH_MICROS, 0, MONEY_MICROS_MAX, "micros a month"),
)


def _check_number(limit: Limit, value: int | None, least: int, most: int, word: str) -> None:
    if value is not None and not least <= value <= most:
        remedy = f"give {least} to {most}, or none for no limit"
        if least:
            remedy += "; to shut somebody out, revoke the key"
        digits = str(value)
        shown = digits if len(digits) <= 20 else f"{digits[:10]}... ({len(digits)} digits)"
        raise BadInput(f"a limit of {shown} {word} ({limit})", remedy=remedy)


def _check_models(models: tuple[str, ...]) -> None:
    if not 1 <= len(models) <= MODELS_MAX or len(set(models)) < len(models):
        told = ", ".join(models[:5]) + (", ..." if len(models) > 5 else "")
        remedy = f"name 1 to {MODELS_MAX} services, each once, or none for no limit"
        raise BadInput(f"a limit to the models [{told}]", remedy=remedy)
    for model in _impossible(models):
        raise BadInput(f"the model {model!r} can be no name of a service", remedy=SERVICE_NAME_RULE)


def _impossible(models: tuple[str, ...]) -> Iterator[str]:
    return (model for model in models if SERVICE_NAME.fullmatch(model) is None)
