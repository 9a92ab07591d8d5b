"""cordons: what is closed to new work by its admins, as reasons, and what opening it would change. Pure."""

from dataclasses import replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.decide.choice import Choice, choose
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.reckoning import Reckoner
from alliage.decide.room import rooms
from alliage.decide.sites import Sites
from alliage.fleet.ids import DeviceId
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.nodes import Node
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

NAMED_MAX: Final = 20
"""Cordoned nodes and devices that a refusal names, and of which it is asked what opening them would change."""


def cordoned(view: FleetView) -> tuple[Rejected, ...]:
    """Each node or device of the ready nodes that gives no room because it is cordoned, at most NAMED_MAX."""
    return tuple(
        Rejected(option=device or node.id, reason=Reason(code=ReasonCode.CORDONED, facts=_facts(node, device)))
        for node, device in _closed(view)
    )


def why_closed(view: FleetView) -> tuple[Reason, ...]:
    """Why a fleet without any room has none: nodes that cannot be reached, nodes and devices that are cordoned."""
    away = tuple(
        Reason(code=ReasonCode.NODE_UNREACHABLE, facts={"node": node.id})
        for node in view.nodes
        if node.phase is not NodePhase.READY
    )
    return (*away, *(each.reason for each in cordoned(view)))


def with_cordons(choice: Choice, service: Service, view: FleetView, catalog: Catalog) -> Choice:
    """A choice that found nothing, with what is cordoned among the reasons; any other as it is."""
    if choice.recipe is not None:
        return choice
    return replace(
        choice,
        rejected=(*choice.rejected, *cordoned(view)),
        would_change=(*uncordoning(service, view, catalog), *choice.would_change),
    )


def uncordoning(service: Service, view: FleetView, catalog: Catalog) -> tuple[Reason, ...]:
    """Each of them that would hold one more replica of the service if it were open."""
    reckoner = Reckoner(catalog)
    return tuple(
        Reason(code=ReasonCode.UNCORDON, facts={"node": node.id, "device": device})
        for node, device in _closed(view)
        if choose(service, Sites(view, reckoner, rooms(_opened(view, node, device)))).recipe is not None
    )


def _closed(view: FleetView) -> list[tuple[Node, DeviceId]]:
    """Nodes that are cordoned as a whole, with the device "", and single devices that are there."""
    found: list[tuple[Node, DeviceId]] = []
    for node in view.nodes:
        if node.phase is not NodePhase.READY:
            continue
        if node.is_cordoned:
            found.append((node, DeviceId("")))
        else:
            found.extend((node, device.id) for device in node.devices if device.id in node.cordoned)
    return found[:NAMED_MAX]


def _facts(node: Node, device: DeviceId) -> Facts:
    draining = node.is_draining if not device else device in node.draining
    return {"node": node.id, "device": device, "draining": int(draining)}


def _opened(view: FleetView, node: Node, device: DeviceId) -> FleetView:
    """Only this node, and of it what would be open then: opening a node does not open its devices one by one."""
    opened = replace(node, is_cordoned=False, cordoned=tuple(each for each in node.cordoned if each != device))
    return replace(view, nodes=(opened,))
