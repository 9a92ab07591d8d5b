"""remedies: of a service that found no place, the smallest changes that would give it one. Pure."""

from collections.abc import Iterable, Iterator

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def remedies(lacking: Iterable[Reason], service: Service, view: FleetView) -> Iterator[Reason]:
    """The smallest changes that would make room: one of the holders stopped, or memory added."""
    held = _held(view, service)
    for reason in lacking:
        facts = reason.facts
        if reason.code is ReasonCode.MEMORY_SHORT:
            missing = int(facts["needed_bytes"]) - int(facts["free_bytes"])
            yield Reason(code=ReasonCode.ADD_MEMORY, facts={"node": facts["node"], "missing_bytes": missing})
            continue
        short = int(facts["needed"]) - int(facts["free"])
        if reason.code is ReasonCode.DEVICES_TAKEN:
            for name, count in held.get((str(facts["node"]), str(facts["chip"])), {}).items():
                if count >= short:
                    freed: Facts = {"service": name, "devices": count, "node": facts["node"]}
                    yield Reason(code=ReasonCode.FREE_DEVICES, facts=freed)
        else:
            yield from _stops(view, service, str(facts["device"]), short)


def _stops(view: FleetView, service: Service, device: str, short: int) -> Iterator[Reason]:
    """Services that have as many cores of a device."""
    cores: dict[ServiceName, int] = {}
    for replica in view.replicas:
        for binding in replica.bindings:
            if binding.device == device and replica.service != service.name:
                cores[replica.service] = cores.get(replica.service, 0) + len(binding.cores)
    for name, count in cores.items():
        if count >= short:
            yield Reason(code=ReasonCode.STOP_SERVICE, facts={"service": name, "device": device, "cores": count})


def _held(view: FleetView, service: Service) -> dict[tuple[str, str], dict[ServiceName, int]]:
    """Devices of each chip at each node that each other service holds."""
    places = {device.id: (node.id, device.chip) for node in view.nodes for device in node.devices}
    found: dict[tuple[str, str], dict[ServiceName, int]] = {}
    for replica in view.replicas:
        if replica.service == service.name:
            continue
        for binding in replica.bindings:
            if (place := places.get(binding.device)) is not None:
                held = found.setdefault(place, {})
                held[replica.service] = held.get(replica.service, 0) + 1
    return found


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


def unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Without repetition, in order."""
    return tuple({(reason.code, tuple(sorted(reason.facts.items()))): reason for reason in reasons}.values())
