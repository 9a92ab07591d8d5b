"""Limits -> answers. As `tell`: reads, decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from alliage.control.scopes import Scoped
from alliage.control.used import Used
from alliage.faces.admin.limit_answers import LimitsAnswer, ScopedLimitsAnswer, ScopesAnswer, UsedAnswer
from alliage.fleet.limits import Limits, Scope


def tell_limits(limits: Limits) -> LimitsAnswer:
    """Limits, all seven."""
    return LimitsAnswer(**asdict(limits))


def tell_scopes(scoped: Iterable[Scoped], used: Mapping[Scope, Used]) -> ScopesAnswer:
    """Each with its limits and, where anybody told it, what was used."""
    return ScopesAnswer(scopes=tuple(_scoped(each, used.get(each.scope)) for each in scoped))


def _scoped(scoped: Scoped, used: Used | None) -> ScopedLimitsAnswer:
    told = {} if used is None else {"used": UsedAnswer(**asdict(used))}  # left unset, so that it is left out
    return ScopedLimitsAnswer(
        scope=scoped.scope,
        kind=scoped.kind,
        tenant=scoped.tenant,
        project=scoped.project,
        key=scoped.key,
        limits=tell_limits(scoped.limits),
        **told,
    )
