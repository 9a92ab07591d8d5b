"""taking out: what admins say about nodes and devices, and what would come of it. Pure; the desk commits it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.draining import emptied_for, movers
from alliage.control.reconcile import Pass, place_of, reconcile
from alliage.control.settle import Heard
from alliage.decide.aiming.aims import Aims
from alliage.decide.plan import Budget
from alliage.decide.reasons import Decision, Outcome
from alliage.errors import Conflict, NotFound
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, OUT, NodePhase, ReplicaPhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

NAMED_MAX: Final = 20
"""Nodes or devices that an error names."""


class Word(StrEnum):
    """What an admin says; the last word counts, so a drain is taken back by a cordon or an uncordon."""

    CORDON = "cordon"
    DRAIN = "drain"
    UNCORDON = "uncordon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What becomes of one replica on what is emptied.

    `to` is where its successor is or would be, "" where it has none: then `because` is the refusal, or None where it
    just leaves. `successor` is its id once there is one.
    """

    replica: ReplicaId
    service: ServiceName
    to: str
    successor: ReplicaId | None
    because: Decision | None

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can be placed elsewhere, so that it stays and serves."""
        return self.because is not None


def find_node(view: FleetView, name: str) -> Node:
    """The node; raises NotFound naming the ones there are."""
    node = view.node(NodeId(name))
    if node is None:
        raise NotFound(f"there is no node {name!r}", remedy=f"nodes: {_named([each.id for each in view.nodes])}")
    return node


def node_after(view: FleetView, name: str, word: Word) -> Node:
    """The node as it is to be. Its devices that were cordoned one by one stay so."""
    node = find_node(view, name)
    return replace(node, is_cordoned=word is not Word.UNCORDON, is_draining=word is Word.DRAIN)


def device_after(view: FleetView, name: str, word: Word) -> Node:
    """The node of the device `NODE/DEVICE` as it is to be; raises NotFound naming devices there are.

    A device that its node has lost, but that was cordoned, can still be uncordoned.
    """
    device = DeviceId(name)
    for node in view.nodes:
        if device in node.cordoned or any(each.id == device for each in node.devices):
            return replace(
                node,
                cordoned=_with(node.cordoned, device, is_in=word is not Word.UNCORDON),
                draining=_with(node.draining, device, is_in=word is Word.DRAIN),
            )
    owner = view.node(NodeId(name.rpartition("/")[0]))
    known = [each.id for node in ((owner,) if owner else view.nodes) for each in node.devices]
    raise NotFound(f"there is no device {name!r}", remedy=f"devices: {_named(known)}")


def forgotten(view: FleetView, name: str) -> Node:
    """The node that is to be forgotten; raises Conflict for one that is there or still has replicas."""
    node = find_node(view, name)
    if node.phase is NodePhase.READY:
        remedy = f"stop its agent first; to take it out of use: alliage node drain {name}"
        raise Conflict(f"node {name} is there and would join again", remedy=remedy)
    replicas = [replica.id for replica in view.replicas if replica.node == node.id]
    if replicas:
        message = f"node {name} is {node.phase} and still has {_named(replicas)}"
        remedy = "they are let go once the node counts as lost; or delete their services"
        raise Conflict(message, remedy=remedy)
    return node


def with_node(view: FleetView, node: Node) -> FleetView:
    """The view with one node as given."""
    return replace(view, nodes=tuple(node if each.id == node.id else each for each in view.nodes))


def moves(view: FleetView, node: Node, catalog: Catalog, aims: Aims, *, now_s: float) -> tuple[Move, ...]:
    """What becomes of the replicas on the node if it is as given: by one pass of control in which nothing is heard.

    `aims` is what would be aimed at then.
    """
    view = with_node(view, node)
    moving = movers(view)
    if not any(replica.node == node.id for replica in moving):
        return ()
    numbers = itertools.count(1)
    done = reconcile(
        view,
        Heard(reports={}, silent=set(), drained=set()),
        catalog,
        now_s=now_s,
        new_id=lambda: f"next-{next(numbers)}",
        budget=Budget.unlimited(),
        refused={},
        aiming=lambda _: aims,
    )
    successor = _successors(view, done)
    refusals = {each.service: each for each in done.changes.decisions if each.outcome is Outcome.REFUSED}
    known = {replica.id for replica in view.replicas}
    going = {replica.id for replica in done.view.replicas if replica.phase in LEAVING}
    found: list[Move] = []
    for replica in moving:
        next_one = None if replica.id in going else successor(replica)
        found.append(
            Move(
                replica=replica.id,
                service=replica.service,
                to=place_of(next_one) if next_one is not None else "",
                successor=next_one.id if next_one is not None and next_one.id in known else None,
                because=None if next_one is not None or replica.id in going else refusals.get(replica.service),
            )
        )
    here = {replica.id for replica in moving if replica.node == node.id}
    return tuple(move for move in found if move.replica in here)


def _successors(view: FleetView, done: Pass) -> Callable[[Replica], Replica | None]:
    """Hands out, one at a time, the replicas of a service that are elsewhere and not ready yet: those that start first."""
    waiting: dict[ServiceName, list[Replica]] = {}
    for replica in done.view.replicas:
        if replica.phase not in OUT and replica.phase is not ReplicaPhase.READY and emptied_for(replica, view) is None:
            waiting.setdefault(replica.service, []).append(replica)

    def take(replica: Replica) -> Replica | None:
        queue = waiting.get(replica.service)
        return queue.pop(0) if queue else None

    return take


def _with(devices: tuple[DeviceId, ...], device: DeviceId, *, is_in: bool) -> tuple[DeviceId, ...]:
    others = {each for each in devices if each != device}
    return tuple(sorted(others | ({device} if is_in else set())))


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED_MAX
    return (", ".join(names[:NAMED_MAX]) or "none") + (f" and {more} more" if more > 0 else "")
