"""What the admin API accepts about keys. As `bodies`."""

from typing import Annotated

from pydantic import Field

from alliage.control.keys import KeyChange, KeyOrder
from alliage.faces.admin.bodies import Body, PlainName
from alliage.faces.admin.limit_bodies import LimitsBody, limits_order_of
from alliage.fleet.keys import Role
from alliage.fleet.limits import Priority


class KeyBody(Body):
    """A key that is asked for. Names are unique; they, tenants and projects are 1 to 63 letters, digits, `.`, `_`, `-`."""

    name: PlainName | None = None
    """When left out, the tenant's, the project's and a number."""
    role: Annotated[Role, Field(strict=False)] = Role.USER
    tenant: PlainName = "default"
    project: PlainName | None = None
    """Of the tenant; it needs no making."""
    priority: Annotated[Priority, Field(strict=False)] = Priority.STANDARD
    limits: LimitsBody | None = None
    dry_run: bool = False
    """Check and tell, change nothing."""


class KeyChangeBody(Body):
    """What is to be set of a key; what is left out stays as it was. Its tenant, role and secret are for good."""

    project: PlainName | None = None
    """null takes it out of its project."""
    priority: Annotated[Priority | None, Field(strict=False)] = None
    limits: LimitsBody | None = None
    dry_run: bool = False
    """Check and tell, change nothing."""


def key_order_of(body: KeyBody) -> KeyOrder:
    """The order that a body stands for."""
    return KeyOrder(
        name=body.name or "",
        role=body.role,
        tenant=body.tenant,
        project=body.project or "",
        priority=body.priority,
        limits=limits_order_of(body.limits),
        dry_run=body.dry_run,
    )


def key_change_of(body: KeyChangeBody, *, key: str) -> KeyChange:
    """The same of a change of `key`."""
    return KeyChange(
        key=key,
        project=(body.project or "") if "project" in body.model_fields_set else None,
        priority=body.priority,
        limits=limits_order_of(body.limits),
        dry_run=body.dry_run,
    )
