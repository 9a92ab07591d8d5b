"""The words of usage records: made once for a key, a service, an endpoint and a replica, as long as these are the same."""

from typing import Final

from alliage.fleet.routing import KeyEntry, Upstream
from alliage.gateway.books.journal import Names
from alliage.link.entries import names_payload

_NAMES_MAX: Final = 4096


class Naming:
    """What the names of one key's requests for one service have in common, and those that were made."""

    __slots__ = ("by_endpoint", "service", "who")

    def __init__(self, who: KeyEntry | None, service: str) -> None:
        self.who = who
        self.service = service
        self.by_endpoint: dict[bytes, dict[str, Names]] = {}
        """Then by replica."""


class Namings:
    """All of a gateway process. Keys, services and replicas come and go: what is kept of them is bounded."""

    __slots__ = ("_by_key", "_made")

    def __init__(self) -> None:
        self._by_key: dict[str, dict[str, Naming]] = {}
        self._made = 0

    def of(self, who: KeyEntry | None, service: str) -> Naming:
        """That of this key and service, the same as long as the entry is the same: whoever has both may keep it."""
        key = "" if who is None else who.key
        by_service = self._by_key.get(key)
        if by_service is None:
            by_service = self._by_key[key] = {}
        naming = by_service.get(service)
        if naming is None or naming.who is not who:
            naming = by_service[service] = Naming(who, service)
            self._count()
        return naming

    def names(self, naming: Naming, endpoint: bytes, upstream: Upstream) -> Names:
        """These words, the same as long as key and replica are the same."""
        by_replica = naming.by_endpoint.get(endpoint)
        if by_replica is None:
            by_replica = naming.by_endpoint[endpoint] = {}
        names = by_replica.get(upstream.replica)
        if names is None or names.upstream is not upstream:
            payload = names_payload(naming.who, naming.service, endpoint.decode("ascii"), upstream)
            names = by_replica[upstream.replica] = Names(payload, upstream)
            self._count()
        return names

    def _count(self) -> None:
        self._made += 1
        if self._made < _NAMES_MAX:
            return
        self._made = 0
        for by_service in self._by_key.values():
            for naming in by_service.values():
                naming.by_endpoint.clear()
        self._by_key.clear()
