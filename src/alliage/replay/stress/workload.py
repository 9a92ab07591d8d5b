"""What a stress workload is: hosts, shapes, what arrives and leaves when, and the statistics a packer is told."""

from dataclasses import dataclass
from typing import NamedTuple

from alliage.decide.packing.shapes import Host, Shape, Typical


class Event(NamedTuple):
    """One request arrives, or leaves if it was placed; `at` counts mean lifetimes from the start."""

    at: float
    request: int
    leaves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Seeded: the same kind, seed and hosts give the same events. Requests are numbered in order of arrival."""

    kind: str
    seed: int
    hosts: tuple[Host, ...]
    shapes: tuple[Shape, ...]
    requests: tuple[int, ...]
    """The shape of each request."""
    events: tuple[Event, ...]
    typical: tuple[Typical, ...]

    @property
    def has_departures(self) -> bool:
        """Whether requests leave."""
        return any(event.leaves for event in self.events)
