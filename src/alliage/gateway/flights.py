"""How many requests each replica is answering for this gateway: the one place where that is counted."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from alliage.fleet.ids import ReplicaId


class Flights:
    """Counts by replica; a replica without requests is not in it. Every `take` is followed by one `give_back`."""

    __slots__ = ("_counts", "_emptied", "_none_left", "counts")

    def __init__(self, emptied: Callable[[ReplicaId], None]) -> None:
        self._counts: dict[ReplicaId, int] = {}
        self._emptied = emptied
        self.counts: Mapping[ReplicaId, int] = MappingProxyType(self._counts)
        """A live read-only view."""
        self._none_left: asyncio.Future[None] | None = None
        """Somebody waits for that."""

    def none_left(self) -> asyncio.Future[None] | None:
        """Done when no replica has a request any more, the same for all who wait; None where that is so."""
        if self._counts and self._none_left is None:
            self._none_left = asyncio.get_running_loop().create_future()
        return self._none_left

    def take(self, replica: ReplicaId) -> None:
        """One request more."""
        self._counts[replica] = self._counts.get(replica, 0) + 1

    def give_back(self, replica: ReplicaId) -> None:
        """One request less; tells when it was the last."""
        left = self._counts[replica] - 1
        if left:
            self._counts[replica] = left
            return
        del self._counts[replica]
        self._emptied(replica)
        if not self._counts and self._none_left is not None:
            self._none_left.set_result(None)
            self._none_left = None
