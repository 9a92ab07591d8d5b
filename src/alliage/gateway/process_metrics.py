"""Metrics of one gateway process: which one answers, and what room it has. Each process counts for itself."""

import resource
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from alliage.gateway.door import Door


def of_process(door: Door) -> Iterator[Metric]:
    """Its name as a label, and its limits."""
    named = GaugeMetricFamily(
        "alliage_gateway_process",
        "1, with the name of the process whose counters these are: each of several counts for itself",
        labels=["gateway"],
    )
    named.add_metric([door.name], 1)
    yield named
    yield GaugeMetricFamily(
        "alliage_gateway_connections_max",
        "Client connections that this process takes",
        value=door.limits.connections_max,
    )
    yield GaugeMetricFamily(
        "alliage_gateway_descriptors_max",
        "File descriptors that this process may have",
        value=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    yield GaugeMetricFamily(
        "alliage_gateway_guessing_addresses", "Addresses that sent wrong keys lately", value=len(door.guessing)
    )
