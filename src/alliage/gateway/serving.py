"""Which replicas serve an endpoint, by what the table says of their engines. Asked for each request, so it is a look into a dict."""

from collections.abc import Mapping, Sequence
from typing import Final

from alliage.catalog.records import ApiPath
from alliage.fleet.routing import REHEARSED, Upstream
from alliage.gateway.endpoints import RELAYED, Endpoint
from alliage.gateway.problems import Problem, not_served

_EVERYTHING: Final[Mapping[str, tuple[ApiPath, ...]]] = {}


class Serving:
    """By one table. An engine that it says nothing of is asked: what it does not serve it says itself."""

    __slots__ = ("_lacking", "_serves")

    def __init__(self, serves: Mapping[str, tuple[ApiPath, ...]] = _EVERYTHING) -> None:
        self._serves = serves
        self._lacking: dict[bytes, frozenset[str]] = {}
        for endpoint in RELAYED:
            path = endpoint.path.decode()
            lacking = frozenset(engine for engine, paths in serves.items() if path not in paths)
            if lacking:
                self._lacking[endpoint.path] = lacking

    def among(self, upstreams: Sequence[Upstream], endpoint: Endpoint) -> Sequence[Upstream]:
        """Those of `upstreams` that serve the endpoint; the same sequence where all do."""
        lacking = self._lacking.get(endpoint.path)
        if lacking is None:
            return upstreams
        return [upstream for upstream in upstreams if server_of(upstream) not in lacking]

    def refusal(self, service: str, upstreams: Sequence[Upstream], endpoint: Endpoint) -> Problem:
        """Why none of `upstreams` is asked, and what they can be asked."""
        engines = sorted({server_of(upstream) for upstream in upstreams})
        served = {engine: self._serves.get(engine, ()) for engine in engines}
        return not_served(service, endpoint.path.decode(), served)


def server_of(upstream: Upstream) -> str:
    """Whose paths a replica serves: its engine's, or those of the engines that only keep time."""
    return REHEARSED if upstream.is_rehearsed else upstream.engine
