"""Keys: orders that make, change and revoke them. Pure. Of a secret only the digest is ever kept."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from alliage.control.limiting import AS_IT_WAS, LimitsOrder, ordered_limits
from alliage.control.names import check_plain
from alliage.errors import Conflict, NotFound
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Key, Role
from alliage.fleet.limits import UNLIMITED, Priority
from alliage.fleet.view import FleetView

SECRET_PREFIX: Final = "alliage-"  # noqa: S105 - how every key begins, so that scanners find leaked ones
_GIVEN_NAME_LETTERS_MAX: Final = 55
"""Of a name that is made up, before its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """A key that is asked for. `name` "": one is made up of the tenant's, the project's and a number."""

    name: str = ""
    role: Role = Role.USER
    tenant: str = "default"
    project: str = ""
    priority: Priority = Priority.STANDARD
    limits: LimitsOrder = AS_IT_WAS
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What is to be set of a key, by id or name; None: as it was. Its tenant and role are for good."""

    key: str
    project: str | None = None
    """"" takes it out of its project."""
    priority: Priority | None = None
    limits: LimitsOrder = AS_IT_WAS
    dry_run: bool = False


def digest(secret: str) -> str:
    """What is kept of a key: the hex SHA-256 of it (256 random bits need no salt or stretching)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def ordered_key(order: KeyOrder, view: FleetView, *, secret: str, now_s: float) -> Key:
    """The key as it would be; raises BadInput, and Conflict where the name is taken."""
    taken = {key.name for key in view.keys}
    name = order.name or _free_name(order, taken)
    check_plain(name, "a key")
    check_plain(order.tenant, "a tenant")
    if order.project:
        check_plain(order.project, "a project")
    if name in taken:
        raise Conflict(f"there is a key named {name!r} already", remedy="take another name or revoke it")
    sha256 = digest(secret)
    return Key(
        id=KeyId(f"key-{sha256[:10]}"),
        name=name,
        role=order.role,
        tenant=order.tenant,
        sha256=sha256,
        created_s=now_s,
        project=order.project,
        priority=order.priority,
        limits=ordered_limits(order.limits, UNLIMITED),
    )


def changed_key(change: KeyChange, view: FleetView) -> Key:
    """The key as it would be; raises NotFound and BadInput."""
    old = key_named(change.key, view)
    if change.project:
        check_plain(change.project, "a project")
    return replace(
        old,
        project=old.project if change.project is None else change.project,
        priority=old.priority if change.priority is None else change.priority,
        limits=ordered_limits(change.limits, old.limits),
    )


def key_named(key: str, view: FleetView) -> Key:
    """The key of that id or name; raises NotFound naming the ones there are."""
    found = next((known for known in view.keys if key in (known.id, known.name)), None)
    if found is None:
        known_names = ", ".join(known.name for known in view.keys) or "none"
        raise NotFound(f"there is no key {key!r}", remedy=f"keys: {known_names}")
    return found


def revoked_key(key: str, view: FleetView) -> Key:
    """The key that may go; raises NotFound, and Conflict for the last admin key: nobody could ask any more."""
    found = key_named(key, view)
    admins = sum(1 for known in view.keys if known.role is Role.ADMIN)
    if found.role is Role.ADMIN and admins == 1:
        raise Conflict(f"{found.name!r} is the last admin key", remedy="create another admin key first")
    return found


def _free_name(order: KeyOrder, taken: Container[str]) -> str:
    stem = "-".join(part for part in (order.tenant, order.project) if part)[:_GIVEN_NAME_LETTERS_MAX]
    return next(name for number in count(1) if (name := f"{stem}-{number}") not in taken)
