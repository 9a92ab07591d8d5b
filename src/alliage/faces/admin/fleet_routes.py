"""Routes of what runs: status, nodes, replicas and their logs, the catalogue's models, history."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from alliage.control.desk import Desk
from alliage.control.scopes import SCOPES_WRITTEN, is_scope, scoped_named
from alliage.errors import AlliageError, NotFound
from alliage.faces.admin import answers, tell
from alliage.faces.admin.access import Admin, Asked, Caller, need_admin

LOG_LINES_MAX = 10_000
FIRST_PIECE_WITHIN_S = 0.5

router = APIRouter(prefix="/v1")


@router.get("/status", tags=["fleet"], summary="Everything in one")
async def status(request: Request, desk: Asked, _key: Caller) -> answers.StatusAnswer:
    """Version, nodes, services, replicas, gateways, and what is wrong."""
    state = request.app.state
    return tell.tell_status(desk, version=state.version, gateway_url=state.gateway_url, gateways=state.gateways)


@router.get("/nodes", tags=["fleet"], summary="List nodes")
async def nodes(desk: Asked, _key: Caller) -> answers.NodesAnswer:
    """All nodes with their devices: what they have, what is bound, what is free."""
    return answers.NodesAnswer(nodes=tell.tell_nodes(desk, desk.view()))


@router.get("/models", tags=["fleet"], summary="List the catalogue's models")
async def models(desk: Asked, _key: Caller) -> answers.ModelsAnswer:
    """The models that can be deployed by name."""
    cards = desk.catalog().models
    return answers.ModelsAnswer(models=tuple(tell.tell_model(cards[each]) for each in sorted(cards)))


@router.get("/replicas", tags=["fleet"], summary="List replicas")
async def replicas(desk: Asked, _key: Caller) -> answers.ReplicasAnswer:
    """All replicas with what their agents see of them."""
    return answers.ReplicasAnswer(replicas=tell.tell_replicas(desk, desk.view()))


@router.get(
    "/replicas/{replica}/logs", tags=["fleet"], summary="Read a replica's log", response_class=StreamingResponse
)
async def logs(
    replica: str,
    desk: Asked,
    _key: Admin,
    lines: Annotated[int, Query(ge=0, le=LOG_LINES_MAX)] = 200,
    follow: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> StreamingResponse:
    """The last `lines` as plain text, and then what comes, when `follow`. Needs the role admin."""
    pieces = await _begun(desk.logs(replica, lines=lines, follow=follow))
    return StreamingResponse(pieces, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.get("/history/{subject:path}", tags=["fleet"], summary="What happened to a node, service or replica")
async def history(
    subject: str, desk: Asked, key: Caller, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> answers.HistoryAnswer:
    """The newest first; also for what is gone, as long as anything is recorded about it.

    For admins also what was changed of `tenant:NAME`, `project:TENANT/NAME` and `key:NAME` (or its id), and by whom.
    """
    if is_scope(subject):
        need_admin(key, "the history of tenants, projects and keys")
    seen = desk.history(subject, limit)
    if not seen:
        _check_subject(desk, subject)
    rows = tuple(answers.ObservationAnswer(at_s=each.at_s, subject=each.subject, what=each.what) for each in seen)
    return answers.HistoryAnswer(subject=subject, observations=rows)


def _check_subject(desk: Desk, subject: str) -> None:
    """Raise NotFound where there is no such node, service or replica, and no such tenant, project or key."""
    view = desk.view()
    if is_scope(subject):
        scoped_named(subject, view)
        return
    names: list[str] = [node.id for node in view.nodes]
    names += [service.name for service in view.services] + [replica.id for replica in view.replicas]
    if subject not in names:
        known = ", ".join(names) or "none"
        remedy = f"nodes, services and replicas: {known}; tenants, projects and keys: {SCOPES_WRITTEN}"
        raise NotFound(f"nothing was ever recorded about {subject!r}", remedy=remedy)


async def _begun(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same pieces; waits a moment for the first, so that an error there is still answered with its own status."""
    first = asyncio.ensure_future(anext(pieces, None))
    await asyncio.wait((first,), timeout=FIRST_PIECE_WITHIN_S)
    if first.done():
        first.result()
    return _rest(first, pieces)


async def _rest(first: asyncio.Future[str | None], pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Every piece; closes the source however it ends. An error that comes this late becomes the last line."""
    try:
        piece = await first
        while piece is not None:
            yield piece
            piece = await anext(pieces, None)
    except AlliageError as error:
        yield f"\nalliage: the log ends here: {error}\n"
    finally:
        first.cancel()
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
