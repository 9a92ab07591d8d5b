"""What was changed of tenants, projects and keys, by whom: sentences for the history. Pure.

Fields are called as the API calls them; money is in millionths of the currency.
"""

from collections.abc import Iterator
from dataclasses import fields

from alliage.control.observed import Observation
from alliage.fleet.keys import Key
from alliage.fleet.limits import Limits, Scope, key_scope, project_scope, tenant_scope
from alliage.fleet.tenants import Guarantee, Project, Tenant

_NONE = "none"


def tenant_changed(old: Tenant, new: Tenant, *, who: str, at_s: float) -> tuple[Observation, ...]:
    """Of one that was set or dropped; none where nothing is other than before."""
    rights = ("tier", old.tier, new.tier), ("weight", f"{old.weight:g}", f"{new.weight:g}")
    more = (
        ("guarantees", _guarantees(old.guarantees), _guarantees(new.guarantees)),
        ("budget_micros", old.budget_micros, new.budget_micros),
    )
    words = [*_words(*rights, *more), *_limits(old.limits, new.limits)]
    if old.logs_prompts != new.logs_prompts:
        words.append("its prompts are logged" if new.logs_prompts else "its prompts are not logged any more")
    return _told(tenant_scope(new.name), words, who, at_s)


def project_changed(old: Project, new: Project, *, who: str, at_s: float) -> tuple[Observation, ...]:
    """Of one that was set or dropped."""
    return _told(project_scope(new.tenant, new.name), [*_limits(old.limits, new.limits)], who, at_s)


def key_changed(old: Key, new: Key, *, who: str, at_s: float) -> tuple[Observation, ...]:
    """Of one that was set."""
    words = _words(("project", old.project, new.project), ("priority", old.priority, new.priority))
    return _told(key_scope(new.id), [*words, *_limits(old.limits, new.limits)], who, at_s)


def key_made(key: Key, *, who: str, at_s: float) -> tuple[Observation, ...]:
    """Of one that is there from now on."""
    words = [f"{key.name!r} was made: role {key.role}, tenant {key.tenant}"]
    words += _words(("project", "", key.project), ("priority", "", key.priority))
    return _told(key_scope(key.id), [*words, *_limits(Limits(), key.limits)], who, at_s)


def key_revoked(key: Key, *, who: str, at_s: float) -> tuple[Observation, ...]:
    """Of one that opens nothing any more."""
    return _told(key_scope(key.id), [f"{key.name!r} was revoked"], who, at_s)


def _told(scope: Scope, words: list[str], who: str, at_s: float) -> tuple[Observation, ...]:
    if not words:
        return ()
    by = f" (by the key {who})" if who else ""
    return (Observation(at_s=at_s, subject=scope, what=", ".join(words) + by),)


def _limits(old: Limits, new: Limits) -> Iterator[str]:
    pairs = ((field.name, getattr(old, field.name), getattr(new, field.name)) for field in fields(Limits))
    return _words(*pairs)


def _words(*changes: tuple[str, object, object]) -> Iterator[str]:
    return (f"{name} {_text(old)} -> {_text(new)}" for name, old, new in changes if old != new)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(str(each) for each in value)
    return _NONE if value in (None, "") else str(value)


def _guarantees(guarantees: tuple[Guarantee, ...]) -> str:
    """As they are written on the command line."""
    return " ".join(
        f"{'+'.join(each.chips)}:{each.devices}" + (f"@{each.site}" if each.site else "") for each in guarantees
    )
