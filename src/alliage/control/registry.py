"""The registry: who may ask, and how much. Tenants, projects and keys are set here by the pure functions, and committed.

With each change goes what the history is to tell of it; `who` is the name of the key that asked for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from alliage.catalog.records import Chip
from alliage.control.changed import key_changed, key_made, key_revoked, project_changed, tenant_changed
from alliage.control.committing import committed
from alliage.control.keys import (
    SECRET_PREFIX,
    KeyChange,
    KeyOrder,
    changed_key,
    digest,
    key_named,
    ordered_key,
    revoked_key,
)
from alliage.control.ports import Changes, Clock, Store
from alliage.control.projects import ProjectOrder, ordered_project, project_named, stored_project
from alliage.control.tenancy import TenantOrder, ordered_tenant, stored_tenant, tenant_named
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Key, Role
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView


class Registry:
    """Part of the desk, and called as it is. What is a dry run, or changes nothing, leaves the version as it was."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        chips: Mapping[str, Chip],
        new_secret: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._chips = chips
        self._new_secret = new_secret
        self._wake = wake

    def key_of(self, secret: str) -> Key | None:
        """Who a secret is."""
        wanted = digest(secret)
        return next((key for key in self._store.snapshot().keys if key.sha256 == wanted), None)

    def create_key(self, order: KeyOrder, *, who: str = "") -> tuple[Key, str]:
        """A new key and its secret, which is told once and not kept; raises BadInput and Conflict.

        In a dry run the secret is "", and so are the id and the digest, which come of it.
        """
        secret = "" if order.dry_run else SECRET_PREFIX + self._new_secret()

        def changes(view: FleetView) -> tuple[Changes, Key]:
            now_s = self._clock.now_s()
            made = ordered_key(order, view, secret=secret, now_s=now_s)
            if order.dry_run:
                return Changes(), replace(made, id=KeyId(""), sha256="")
            return Changes(keys=(made,), observations=key_made(made, who=who, at_s=now_s)), made

        return committed(self._store, self._wake, changes), secret

    def admit_first_keys(self, secrets: Mapping[str, tuple[Role, str]]) -> None:
        """Record keys by name, whose secrets somebody holds already, if there is no key at all yet: all or none."""

        def changes(view: FleetView) -> tuple[Changes, None]:
            if view.keys:
                return Changes(), None
            orders = ((KeyOrder(name=name, role=role), secret) for name, (role, secret) in secrets.items())
            made = tuple(ordered_key(each, view, secret=secret, now_s=self._clock.now_s()) for each, secret in orders)
            return Changes(keys=made), None

        committed(self._store, self._wake, changes)

    def change_key(self, change: KeyChange, *, who: str = "") -> Key:
        """The key as it is from now on; raises NotFound and BadInput."""

        def changes(view: FleetView) -> tuple[Changes, Key]:
            key = changed_key(change, view)
            if change.dry_run or key in view.keys:
                return Changes(), key
            told = key_changed(key_named(change.key, view), key, who=who, at_s=self._clock.now_s())
            return Changes(keys=(key,), observations=told), key

        return committed(self._store, self._wake, changes)

    def revoke_key(self, key: str, *, dry_run: bool = False, who: str = "") -> Key:
        """Revoke by id or name; raises NotFound, and Conflict for the last admin key."""

        def changes(view: FleetView) -> tuple[Changes, Key]:
            found = revoked_key(key, view)
            if dry_run:
                return Changes(), found
            told = key_revoked(found, who=who, at_s=self._clock.now_s())
            return Changes(drop_keys=(found.id,), observations=told), found

        return committed(self._store, self._wake, changes)

    def set_tenant(self, order: TenantOrder, *, who: str = "") -> Tenant:
        """What a tenant has a right to from now on, and its limits (`dry_run`: would have); raises BadInput."""

        def changes(view: FleetView) -> tuple[Changes, Tenant]:
            tenant = ordered_tenant(order, view, self._chips)
            if order.dry_run or tenant in view.tenants:
                return Changes(), tenant
            told = tenant_changed(stored_tenant(order.name, view), tenant, who=who, at_s=self._clock.now_s())
            return Changes(tenants=(tenant,), observations=told), tenant

        return committed(self._store, self._wake, changes)

    def drop_tenant(self, name: str, *, dry_run: bool = False, who: str = "") -> Tenant:
        """Take away what was set of a tenant, who has the defaults again (and goes, where nothing names it); raises NotFound."""

        def changes(view: FleetView) -> tuple[Changes, Tenant]:
            tenant_named(name, view)
            left = Tenant(name=name)
            if dry_run or not any(tenant.name == name for tenant in view.tenants):
                return Changes(), left
            told = tenant_changed(stored_tenant(name, view), left, who=who, at_s=self._clock.now_s())
            return Changes(drop_tenants=(name,), observations=told), left

        return committed(self._store, self._wake, changes)

    def set_project(self, order: ProjectOrder, *, who: str = "") -> Project:
        """A project's limits from now on; raises BadInput."""

        def changes(view: FleetView) -> tuple[Changes, Project]:
            project = ordered_project(order, view)
            if order.dry_run or project in view.projects:
                return Changes(), project
            old = stored_project(order.tenant, order.name, view)
            told = project_changed(old, project, who=who, at_s=self._clock.now_s())
            return Changes(projects=(project,), observations=told), project

        return committed(self._store, self._wake, changes)

    def drop_project(self, tenant: str, name: str, *, dry_run: bool = False, who: str = "") -> Project:
        """Lift a project's limits (it is gone, where no key names it); raises NotFound."""

        def changes(view: FleetView) -> tuple[Changes, Project]:
            old, left = project_named(tenant, name, view), Project(tenant=tenant, name=name)
            if dry_run or old not in view.projects:
                return Changes(), left
            told = project_changed(old, left, who=who, at_s=self._clock.now_s())
            return Changes(drop_projects=((tenant, name),), observations=told), left

        return committed(self._store, self._wake, changes)
