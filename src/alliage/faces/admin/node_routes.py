"""Routes that read one node, and those by which admins take nodes and devices out of use and let them in again."""

from fastapi import APIRouter

from alliage.control.taking_out import Move, Word, find_node
from alliage.faces.admin import tell
from alliage.faces.admin.access import Admin, Asked, Caller
from alliage.faces.admin.node_answers import (
    DevicesAnswer,
    MoveAnswer,
    NodeChangedAnswer,
    NodeForgottenAnswer,
    NodeInFullAnswer,
)
from alliage.faces.decisions import why

router = APIRouter(prefix="/v1", tags=["fleet"])


@router.get("/nodes/{node}", summary="Read one node")
async def node(node: str, desk: Asked, _key: Caller) -> NodeInFullAnswer:
    """One node with its replicas; where it or a device of it is being emptied, what each of them waits for."""
    view = desk.view()
    found = find_node(view, node)
    return NodeInFullAnswer(
        **dict(tell.tell_node(desk, found, view)),
        replicas=tuple(replica.id for replica in view.replicas if replica.node == found.id),
        moves=tuple(_move(each) for each in await desk.moves(node)),
    )


@router.post("/nodes/{node}/{word}", summary="Cordon, drain or uncordon a node")
async def take_out(node: str, word: Word, desk: Asked, _key: Admin, dry_run: bool = False) -> NodeChangedAnswer:  # noqa: FBT001, FBT002 - a query parameter
    """`cordon`: nothing new there, what runs stays. `drain`: what runs is replaced elsewhere first, then leaves. Admins only."""
    made, moves = await desk.take_out(node, word, dry_run=dry_run)
    return NodeChangedAnswer(
        dry_run=dry_run, node=tell.tell_node(desk, made, desk.view()), moves=tuple(_move(each) for each in moves)
    )


@router.delete("/nodes/{node}", summary="Forget a node")
async def forget(node: str, desk: Asked, _key: Admin, dry_run: bool = False) -> NodeForgottenAnswer:  # noqa: FBT001, FBT002 - a query parameter
    """Only one that is lost or cannot be reached, and has no replicas. Should it come back, it joins anew. Admins only."""
    return NodeForgottenAnswer(dry_run=dry_run, node=desk.forget_node(node, dry_run=dry_run).id)


@router.get("/devices", summary="List devices")
async def devices(desk: Asked, _key: Caller) -> DevicesAnswer:
    """The devices of all nodes: what they have, what is bound, what is free, and whether they take anything new."""
    nodes = tell.tell_nodes(desk, desk.view())
    return DevicesAnswer(devices=tuple(device for each in nodes for device in each.devices))


@router.post("/devices/{node}/{device}/{word}", summary="Cordon, drain or uncordon a device")
async def take_out_device(
    node: str,
    device: str,
    word: Word,
    desk: Asked,
    _key: Admin,
    dry_run: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> NodeChangedAnswer:
    """As for a node, for one device of it. Admins only."""
    made, moves = await desk.take_out_device(f"{node}/{device}", word, dry_run=dry_run)
    return NodeChangedAnswer(
        dry_run=dry_run, node=tell.tell_node(desk, made, desk.view()), moves=tuple(_move(each) for each in moves)
    )


def _move(move: Move) -> MoveAnswer:
    return MoveAnswer(
        replica=move.replica,
        service=move.service,
        to=move.to,
        successor=move.successor,
        stuck=move.is_stuck,
        text=_words(move),
    )


def _words(move: Move) -> str:
    if move.because is not None:
        reasons = why(move.because) or "nothing here can run it"
        return f"{move.replica} still serves {move.service}, because it can go nowhere else: {reasons}"
    if move.successor is not None:
        return f"{move.replica} serves {move.service} until {move.successor} at {move.to} is ready"
    if move.to:
        return f"{move.replica} of {move.service} moves to {move.to}"
    return f"{move.replica} of {move.service} leaves: enough others are ready"
