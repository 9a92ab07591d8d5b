"""Who asks: from the bearer key to a Key with the role that a route needs. All `async`: the desk has one thread.

The guard has asked for a key already, before it let the body in; a route says here which role it needs of it.
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from alliage.control.desk import Desk
from alliage.errors import Forbidden, Unauthorized
from alliage.fleet.keys import Key, Role

_bearer = HTTPBearer(auto_error=False, description="A key of Alliage: `Authorization: Bearer alliage-...`")


async def desk_of(request: Request) -> Desk:
    """The desk that this application asks."""
    desk = request.app.state.desk
    if not isinstance(desk, Desk):
        raise TypeError("build_admin sets app.state.desk")
    return desk


async def caller(
    desk: Annotated[Desk, Depends(desk_of)],
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Key:
    """The key of whoever asks; raises Unauthorized."""
    return known_key(desk, given.credentials if given else "")


def known_key(desk: Desk, secret: str) -> Key:
    """The key that a secret is, "" where none came; raises Unauthorized."""
    if not secret:
        raise Unauthorized("this needs a key", remedy="send the header `Authorization: Bearer KEY`")
    key = desk.registry.key_of(secret)
    if key is None:
        raise Unauthorized("the key is not known", remedy="ask an admin for one (alliage key create)")
    return key


async def admin(key: Annotated[Key, Depends(caller)]) -> Key:
    """The key of an admin; raises Forbidden."""
    need_admin(key, "this")
    return key


def need_admin(key: Key, what: str) -> None:
    """Raise Forbidden, naming the role, where `what` is for admins and the key is not one's."""
    if key.role is not Role.ADMIN:
        message = f"{what} needs the role admin; the key {key.name!r} has the role {key.role}"
        raise Forbidden(message, remedy="use an admin key, or ask an admin")


Asked = Annotated[Desk, Depends(desk_of)]
Caller = Annotated[Key, Depends(caller)]
Admin = Annotated[Key, Depends(admin)]
