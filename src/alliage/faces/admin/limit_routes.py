"""Routes of limits: one view over tenants, projects and keys. They are set where those are."""

from fastapi import APIRouter

from alliage.control.scopes import limited, scoped_named, scoped_of_key
from alliage.faces.admin.access import Asked, Caller, need_admin
from alliage.faces.admin.limit_answers import ScopesAnswer
from alliage.faces.admin.tell_limits import tell_scopes
from alliage.fleet.keys import Role

router = APIRouter(prefix="/v1/limits", tags=["limits"])


@router.get("", summary="List limits", response_model_exclude_unset=True)
async def limits(desk: Asked, key: Caller) -> ScopesAnswer:
    """Of every tenant, project and key that has any, for admins; for others what holds for their own key."""
    view = desk.view()
    found = limited(view) if key.role is Role.ADMIN else scoped_of_key(key, view)
    return tell_scopes(found, desk.used())


@router.get(
    "/{scope:path}", summary="Read what holds for a tenant, a project or a key", response_model_exclude_unset=True
)
async def limits_of(scope: str, desk: Asked, key: Caller) -> ScopesAnswer:
    """`tenant:NAME`, `project:TENANT/NAME` or `key:NAME`: itself first, then what it is part of, with limits or without."""
    need_admin(key, "this")
    return tell_scopes(scoped_named(scope, desk.view()), desk.used())
