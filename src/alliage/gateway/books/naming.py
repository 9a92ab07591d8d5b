"""The words of usage records: made once for a key, a service, an endpoint and a replica, as long as these are the same."""

from alliage.fleet.routing import KeyEntry, Upstream
from alliage.gateway.books.journal import Names
from alliage.link.entries import names_payload


class Naming:
    """What the names of one key's requests for one service have in common, and those that were made."""

    __slots__ = ("_by_endpoint", "_who", "service")

    def __init__(self, who: KeyEntry, service: str) -> None:
        self._who = who
        self.service = service
        self._by_endpoint: dict[bytes, dict[str, Names]] = {}
        """Then by replica."""

    def of(self, endpoint: bytes, upstream: Upstream) -> Names:
        """These words, the same as long as the replica is the same."""
        by_replica = self._by_endpoint.get(endpoint)
        if by_replica is None:
            by_replica = self._by_endpoint[endpoint] = {}
        names = by_replica.get(upstream.replica)
        if names is None or names.upstream is not upstream:
            payload = names_payload(self._who, self.service, endpoint.decode("ascii"), upstream)
            names = by_replica[upstream.replica] = Names(payload, upstream)
        return names
