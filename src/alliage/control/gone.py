"""gone: why a replica that was given back, or is gone with its node, is not there any more. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from alliage.control.draining import emptied_for
from alliage.control.failing import is_given_up
from alliage.decide.aiming.aims import Aims
from alliage.decide.reasons import Facts, Reason, ReasonCode, Unwanted
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import ServicePhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def why_gone(replica: Replica, view: FleetView, lost: Mapping[NodeId, Reason], aims: Aims | None) -> Reason:
    """Its node is lost, its place was emptied, or nobody wants it any more and why; `view` is the one that still has it."""
    if (reason := lost.get(replica.node)) is not None:
        return replace(reason, facts={**reason.facts, "replica": replica.id})
    service = next((each for each in view.services if each.name == replica.service), None)
    is_deleted = service is None or service.phase is ServicePhase.DELETING
    if not is_deleted and (facts := emptied_for(replica, view)) is not None:
        return Reason(code=ReasonCode.DRAINED, facts=facts)
    said = {"replica": replica.id, "service": replica.service}
    told = {"cause": Unwanted.DELETED.value} if is_deleted else _unwanted(replica, view, aims)
    return Reason(code=ReasonCode.NOT_WANTED, facts={**said, **told})


def is_misplaced(replica: Replica, devices: Mapping[DeviceId, Device]) -> bool:
    """Whether its device, or a core of it, is no longer among those there are."""
    return any(
        binding.device not in devices or not set(binding.cores) <= set(devices[binding.device].cores)
        for binding in replica.bindings
    )


def is_banned(node: Node | None, service: Service | None) -> bool:
    """Whether the service may not live at the node any more."""
    return node is not None and service is not None and not node.keeps(service.residency)


def _unwanted(replica: Replica, view: FleetView, aims: Aims | None) -> Facts:
    """The cause, and what there is of it to tell."""
    if is_given_up(replica, view):
        return {"cause": Unwanted.FAILED.value, "last_words": replica.note}
    node = view.node(replica.node)
    if is_misplaced(replica, {} if node is None else {device.id: device for device in node.devices}):
        return {"cause": Unwanted.DEVICE_GONE.value}
    if is_banned(node, view.service(replica.service)):
        return {"cause": Unwanted.BANNED.value}
    known = None if aims is None else aims.aims.get(replica.service)
    if aims is None or known is None or any(each.allows(replica.node, replica.recipe) for each in known):
        return {"cause": Unwanted.FEWER.value}
    if known:
        return {"cause": Unwanted.REPLACED.value, "instead": " and ".join(each.way for each in known)}
    is_short = replica.service in aims.short
    return {"cause": (Unwanted.DISPLACED if is_short else Unwanted.IDLE).value}
