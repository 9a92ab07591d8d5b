"""Routes of keys, for admins."""

from fastapi import APIRouter, Response

from alliage.faces.admin import answers, tell
from alliage.faces.admin.access import Admin, Asked
from alliage.faces.admin.bodies import KeyBody

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.get("", summary="List keys")
async def keys(desk: Asked, _key: Admin) -> answers.KeysAnswer:
    """All keys, without their secrets, which are kept nowhere."""
    return answers.KeysAnswer(keys=tuple(tell.tell_key(each) for each in desk.view().keys))


@router.post("", status_code=201, summary="Create a key")
async def create(body: KeyBody, response: Response, desk: Asked, _key: Admin) -> answers.KeyCreatedAnswer:
    """The secret is told in this answer and never again."""
    response.headers["Cache-Control"] = "no-store"
    key, secret = desk.create_key(name=body.name, role=body.role, tenant=body.tenant)
    return answers.KeyCreatedAnswer(key=tell.tell_key(key), secret=secret)


@router.delete("/{key}", summary="Revoke a key")
async def revoke(key: str, desk: Asked, _key: Admin) -> answers.KeyAnswer:
    """By id or name. The last admin key stays."""
    return tell.tell_key(desk.revoke_key(key))
