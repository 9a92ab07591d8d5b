"""The route of the live view."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from alliage.faces.admin.access import Asked, Caller
from alliage.faces.admin.tell_top import tell_top
from alliage.faces.admin.top_answers import TopAnswer
from alliage.fleet.keys import Role

router = APIRouter(prefix="/v1", tags=["fleet"])


@router.get("/top", summary="The cloud now, for a live view")
async def top(
    request: Request, desk: Asked, key: Caller, events: Annotated[int, Query(ge=0, le=500)] = 50
) -> TopAnswer:
    """Sites, nodes, services with what the gateways saw in the last seconds, prices by the last plan, and the newest events."""
    return tell_top(desk, version=request.app.state.version, events=events, is_admin=key.role is Role.ADMIN)
