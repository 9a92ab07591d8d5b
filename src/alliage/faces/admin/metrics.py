"""The fleet as Prometheus text, read from the desk at each scrape: nothing is counted here."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from alliage.control.desk import Desk
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.view import FleetView

_SERVICE: Final = ("service", "tenant")


class FleetCollector(Collector):
    """Collects from one desk. Every phase is told, also those with 0, so that a graph has no gaps."""

    def __init__(self, desk: Desk, version: str) -> None:
        self._desk = desk
        self._version = version

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metrics of this scrape, from one snapshot."""
        view, doors = self._desk.view(), self._desk.doors()
        info = GaugeMetricFamily("alliage_info", "The version that runs; always 1.", labels=["version"])
        info.add_metric([self._version], 1)
        yield info
        yield GaugeMetricFamily("alliage_state_version", "Version of desired state and bindings.", value=view.version)
        yield _by_phase("alliage_nodes", "Nodes by phase.", NodePhase, (each.phase for each in view.nodes))
        yield _by_phase("alliage_services", "Services by phase.", ServicePhase, (each.phase for each in view.services))
        yield _by_phase("alliage_replicas", "Replicas by phase.", ReplicaPhase, (each.phase for each in view.replicas))
        yield GaugeMetricFamily("alliage_agents_connected", "Agents on the line now.", value=len(self._desk.reports()))
        yield GaugeMetricFamily("alliage_gateways_connected", "Gateways on the line now.", value=len(doors))
        in_flight = sum(sum(door.in_flight.values()) for door in doors)
        yield GaugeMetricFamily("alliage_requests_in_flight", "Requests answered now, all gateways.", value=in_flight)
        yield from _by_service(view, self._desk.wanted(view))
        yield self._memory()

    def _memory(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("alliage_device_free_bytes", "Memory free on a device now.", labels=["device"])
        for device, count in sorted(self._desk.view().free_bytes.items()):
            family.add_metric([device], count)
        return family


def _by_service(view: FleetView, wanted: Mapping[ServiceName, int]) -> Iterator[GaugeMetricFamily]:
    """How each service stands; a service that is not served has a ready replica on no chip, and is told all the same."""
    replicas = GaugeMetricFamily(
        "alliage_service_replicas", "Replicas of a service, by chip and phase.", labels=["service", "chip", "phase"]
    )
    counts = Counter((each.service, each.recipe.chip, each.phase) for each in view.replicas)
    for (service, chip, phase), count in sorted(counts.items()):
        replicas.add_metric([service, chip, phase.value], count)
    ready = GaugeMetricFamily("alliage_service_ready", "Replicas of a service that are ready.", labels=_SERVICE)
    aim = GaugeMetricFamily("alliage_service_wanted", "Replicas that the plan of now aims at.", labels=_SERVICE)
    for each in view.services:
        here = [replica for replica in view.replicas_of(each.name) if replica.phase is ReplicaPhase.READY]
        ready.add_metric([each.name, each.tenant], len(here))
        aim.add_metric([each.name, each.tenant], wanted.get(each.name, 0))
    yield from (replicas, ready, aim)


def scrape(collector: Collector) -> bytes:
    """One scrape as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _by_phase(name: str, text: str, phases: type[StrEnum], seen: Iterable[StrEnum]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["phase"])
    counts = Counter(seen)
    for phase in phases:
        family.add_metric([phase.value], counts[phase])
    return family
