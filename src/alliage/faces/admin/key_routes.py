"""Routes of keys, for admins."""

from fastapi import APIRouter, Response

from alliage.control.keys import key_named
from alliage.faces.admin.access import Admin, Asked
from alliage.faces.admin.key_answers import KeyAnswer, KeyCreatedAnswer, KeysAnswer, KeySetAnswer
from alliage.faces.admin.key_bodies import KeyBody, KeyChangeBody, key_change_of, key_order_of
from alliage.faces.admin.tell_keys import tell_key

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.get("", summary="List keys")
async def keys(desk: Asked, _key: Admin) -> KeysAnswer:
    """All keys, without their secrets, which are kept nowhere."""
    view = desk.view()
    return KeysAnswer(keys=tuple(tell_key(each, view) for each in view.keys))


@router.post(
    "",
    status_code=201,
    responses={200: {"model": KeyCreatedAnswer, "description": "A dry run: nothing was created"}},
    summary="Create a key",
)
async def create(body: KeyBody, response: Response, desk: Asked, asking: Admin) -> KeyCreatedAnswer:
    """The secret is told in this answer and never again. A dry run answers 200."""
    response.headers["Cache-Control"] = "no-store"
    key, secret = desk.registry.create_key(key_order_of(body), who=asking.name)
    if body.dry_run:
        response.status_code = 200
    return KeyCreatedAnswer(dry_run=body.dry_run, key=tell_key(key, desk.view()), secret=secret)


@router.get("/{key}", summary="Read one key")
async def read(key: str, desk: Asked, _key: Admin) -> KeyAnswer:
    """By id or name."""
    view = desk.view()
    return tell_key(key_named(key, view), view)


@router.patch("/{key}", summary="Set a key's project, priority and limits")
async def change(key: str, body: KeyChangeBody, desk: Asked, asking: Admin) -> KeySetAnswer:
    """By id or name. What is left out stays as it was."""
    changed = desk.registry.change_key(key_change_of(body, key=key), who=asking.name)
    return KeySetAnswer(dry_run=body.dry_run, key=tell_key(changed, desk.view()))


@router.delete("/{key}", summary="Revoke a key")
async def revoke(key: str, desk: Asked, asking: Admin, *, dry_run: bool = False) -> KeyAnswer:
    """By id or name. The last admin key stays."""
    return tell_key(desk.registry.revoke_key(key, dry_run=dry_run, who=asking.name), desk.view())
