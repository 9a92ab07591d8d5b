"""remedies: of a service that found no place, the smallest changes that would give it one. Pure."""

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def remedies(reason: Reason, service: Service, view: FleetView) -> list[Reason]:
    """The smallest changes that would make room: one of the holders stopped, or memory added."""
    if reason.code is ReasonCode.MEMORY_SHORT:
        missing = int(reason.facts["needed_bytes"]) - int(reason.facts["free_bytes"])
        more: Facts = {"node": reason.facts["node"], "missing_bytes": missing}
        return [Reason(code=ReasonCode.ADD_MEMORY, facts=more)]
    short = int(reason.facts["needed"]) - int(reason.facts["free"])
    if reason.code is ReasonCode.DEVICES_TAKEN:
        held = _held(view, service, devices_of=(str(reason.facts["node"]), str(reason.facts["chip"])))
        return [
            Reason(
                code=ReasonCode.FREE_DEVICES, facts={"service": name, "devices": count, "node": reason.facts["node"]}
            )
            for name, count in held.items()
            if count >= short
        ]
    cores: dict[ServiceName, int] = {}
    for replica in view.replicas:
        for binding in replica.bindings:
            if binding.device == reason.facts["device"] and replica.service != service.name:
                cores[replica.service] = cores.get(replica.service, 0) + len(binding.cores)
    return [
        Reason(code=ReasonCode.STOP_SERVICE, facts={"service": name, "device": reason.facts["device"], "cores": count})
        for name, count in cores.items()
        if count >= short
    ]


def _held(view: FleetView, service: Service, *, devices_of: tuple[str, str]) -> dict[ServiceName, int]:
    """Devices of one chip at one node that each other service holds."""
    node_id, chip = devices_of
    mine = {device.id for node in view.nodes if node.id == node_id for device in node.devices if device.chip == chip}
    held: dict[ServiceName, int] = {}
    for replica in view.replicas:
        count = sum(1 for binding in replica.bindings if binding.device in mine)
        if count and replica.service != service.name:
            held[replica.service] = held.get(replica.service, 0) + count
    return held


def installs(rejected: tuple[Rejected, ...], model: ModelCard, catalog: Catalog) -> list[Reason]:
    """Engines that would serve the model if the node had them."""
    missing = (entry.reason.facts for entry in rejected if entry.reason.code is ReasonCode.ENGINE_MISSING)
    return [
        Reason(code=ReasonCode.INSTALL_ENGINE, facts={"engine": facts["engine"], "node": facts["node"]})
        for facts in missing
        if model.weights.format in catalog.engines[str(facts["engine"])].formats
    ]


def more_devices(rejected: tuple[Rejected, ...]) -> list[Reason]:
    """Nodes that would do with more devices of a chip that they have."""
    short = (entry.reason.facts for entry in rejected if entry.reason.code is ReasonCode.DEVICES_SHORT)
    return [
        Reason(
            code=ReasonCode.ADD_DEVICES,
            facts={"node": facts["node"], "chip": facts["chip"], "devices": facts["needed"], "has": facts["devices"]},
        )
        for facts in short
        if int(facts["needed"]) > int(facts["devices"])
    ]


def unique(reasons: list[Reason]) -> list[Reason]:
    """Without repetition, in order."""
    seen: list[Reason] = []
    for reason in reasons:
        if reason not in seen:
            seen.append(reason)
    return seen
