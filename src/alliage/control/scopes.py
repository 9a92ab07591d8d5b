"""Scopes as people name them (`tenant:acme`, `project:acme/web`, `key:ci`), and what limits each has. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from alliage.control.keys import key_named
from alliage.control.projects import known_projects, project_named
from alliage.control.tenancy import known_tenants, tenant_named
from alliage.errors import BadInput
from alliage.fleet.keys import Key
from alliage.fleet.limits import UNLIMITED, Limits, Scope, key_scope, project_scope, tenant_scope
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView

SCOPES_WRITTEN: Final = "tenant:NAME, project:TENANT/NAME or key:NAME"


class ScopeKind(StrEnum):
    """Whom limits may be for."""

    TENANT = "tenant"
    PROJECT = "project"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoped:
    """A tenant, a project or a key (by name), and its limits."""

    scope: Scope
    kind: ScopeKind
    tenant: str
    limits: Limits
    project: str = ""
    key: str = ""


def limited(view: FleetView) -> tuple[Scoped, ...]:
    """All that have limits: tenants, then projects, then keys, each by name."""
    keys = sorted(view.keys, key=lambda key: key.name)
    found = (
        *(_of_tenant(tenant) for tenant in view.tenants),
        *(_of_project(project) for project in view.projects),
        *(_of_key(key) for key in keys),
    )
    return tuple(each for each in found if each.limits != UNLIMITED)


def scoped_named(text: str, view: FleetView) -> tuple[Scoped, ...]:
    """All that hold for the one that is named, itself first; raises BadInput for what names none, NotFound."""
    word, _, name = text.partition(":")
    if word not in list(ScopeKind) or not name:
        remedy = f"write {SCOPES_WRITTEN}, such as project:acme/web"
        raise BadInput(f"{text!r} names no tenant, project or key", remedy=remedy)
    kind = ScopeKind(word)
    match kind:
        case ScopeKind.TENANT:
            return (_of_tenant(tenant_named(name, view)),)
        case ScopeKind.PROJECT:
            tenant, _, project = name.partition("/")
            return (_of_project(project_named(tenant, project, view)), _tenant(tenant, view))
        case ScopeKind.KEY:
            return scoped_of_key(key_named(name, view), view)
        case _:
            assert_never(kind)


def is_scope(subject: str) -> bool:
    """Whether the history has something of a tenant, a project or a key under this name; only admins are told that."""
    return subject.partition(":")[0] in list(ScopeKind) and ":" in subject


def history_subject(text: str, view: FleetView) -> str:
    """What the history calls the one that people name so: a key by its id, others (keys that are gone, too) as they are."""
    word, _, name = text.partition(":")
    found = next((key.id for key in view.keys if word == ScopeKind.KEY and name == key.name), None)
    return text if found is None else key_scope(found)


def scoped_of_key(key: Key, view: FleetView) -> tuple[Scoped, ...]:
    """All that hold for a key: its own, its project's, its tenant's."""
    mine = known_projects(view, key.tenant) if key.project else ()
    projects = (_of_project(project) for project in mine if project.name == key.project)
    return (_of_key(key), *projects, _tenant(key.tenant, view))


def _tenant(name: str, view: FleetView) -> Scoped:
    return next(_of_tenant(tenant) for tenant in known_tenants(view) if tenant.name == name)


def _of_tenant(tenant: Tenant) -> Scoped:
    return Scoped(scope=tenant_scope(tenant.name), kind=ScopeKind.TENANT, tenant=tenant.name, limits=tenant.limits)


def _of_project(project: Project) -> Scoped:
    return Scoped(
        scope=project_scope(project.tenant, project.name),
        kind=ScopeKind.PROJECT,
        tenant=project.tenant,
        project=project.name,
        limits=project.limits,
    )


def _of_key(key: Key) -> Scoped:
    return Scoped(
        scope=key_scope(key.id),
        kind=ScopeKind.KEY,
        tenant=key.tenant,
        project=key.project,
        key=key.name,
        limits=key.limits,
    )
