"""Which paths the engines of some replicas serve, for the gateways' table. Facts of the catalogue, and those of rehearsed engines. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from alliage.catalog.records import ApiPath, Engine
from alliage.fleet.routing import REHEARSED, Upstream

REHEARSED_PATHS: Final = (ApiPath.CHAT, ApiPath.COMPLETIONS, ApiPath.RESPONSES, ApiPath.MESSAGES, ApiPath.COUNT_TOKENS)
"""Of engines that only keep time: what their door answers, whichever engine they stand for."""


def serves(upstreams: Iterable[Upstream], engines: Mapping[str, Engine]) -> dict[str, tuple[ApiPath, ...]]:
    """By engine; one that the catalogue has not is left out, which means that it is asked whatever is wanted."""
    found: dict[str, tuple[ApiPath, ...]] = {}
    for upstream in upstreams:
        if upstream.is_rehearsed:
            found[REHEARSED] = REHEARSED_PATHS
        elif upstream.engine in engines:
            found[upstream.engine] = engines[upstream.engine].paths
    return found
