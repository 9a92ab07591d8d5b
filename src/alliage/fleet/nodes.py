"""Nodes and their devices, as an agent detects them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import NodePhase

REHEARSAL: Final = "rehearsal"
"""The program of an engine that only keeps time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One schedulable card or die, or the CPU of a node.

    `memory_bytes` is what may be bound on it (for a CPU: what is left to engines when none of ours runs);
    `cores` are the ids of the CPU cores that may be bound, empty for accelerators.
    """

    id: DeviceId
    chip: str
    cores: tuple[int, ...]
    memory_bytes: int
    facts: Mapping[str, str]
    """Shown to people: `model`, `cores`, `memory`, `flags` and the like."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the node found out of its own CPU: `bandwidth` of all cores and `core_bandwidth` of one, in bytes/s, and dense
    operations/s of all cores by precision (`fp32`, `int8` ...). What is not known is absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFound:
    """An engine program that a node has; `engine` is its id in the catalogue."""

    engine: str
    version: str
    program: str
    """`bundled`, `rehearsal`, or the path of the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine."""

    id: NodeId
    site: str
    phase: NodePhase
    devices: tuple[Device, ...]
    engines: tuple[EngineFound, ...]
    region: str = ""
    """Of its site, with the site's other `tags`: what a service's residency may name."""
    tags: tuple[str, ...] = ()
    is_cordoned: bool = False
    """Nothing new is placed on it. An admin's word, as the three that follow: never an agent's."""
    is_draining: bool = False
    """What runs on it is replaced elsewhere and leaves. A draining node is cordoned too."""
    cordoned: tuple[DeviceId, ...] = ()
    """Single devices that get nothing new, sorted; one that is not there now stays named, it may come back."""
    draining: tuple[DeviceId, ...] = ()
    """Those of `cordoned` that are emptied, sorted."""
    memory_bytes: int = 0
    """Of the machine itself, for what sleeps there; 0: not told. Where its CPU is a device, that one's counts."""

    def takes(self, device: DeviceId) -> bool:
        """Whether its admins let anything new be placed on one of its devices."""
        return not self.is_cordoned and device not in self.cordoned

    def keeps(self, residency: tuple[str, ...]) -> bool:
        """Whether what may live only where one of `residency` holds may live here; empty means anywhere."""
        return not residency or not {self.site, self.region, *self.tags}.isdisjoint(residency)

    def empties(self, device: DeviceId) -> bool:
        """Whether what runs on one of its devices is to be replaced elsewhere and leave."""
        return self.is_draining or device in self.draining

    @property
    def is_rehearsed(self) -> bool:
        """Whether what it runs only keeps time: nobody has these devices, and nothing seen here is a measurement."""
        return bool(self.engines) and all(each.program == REHEARSAL for each in self.engines)
