"""What packing is about: hosts with devices, the shapes that ask for parts of them, and how common each shape is."""

from dataclasses import dataclass
from typing import Final, NamedTuple

WHOLE: Final = 1000
"""Thousandths of one device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A node as packing sees it: empty, with `devices` of one `kind` ("" where it has none)."""

    kind: str
    devices: int
    cpu_milli: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one request asks for: `devices` devices with `device_milli` thousandths of each, and CPU and memory beside.

    A shape with `devices` 1 and under 1000 `device_milli` shares a device; others take idle devices whole. `kinds`
    are the kinds it accepts, empty for any; 0 devices is a request for CPU only.
    """

    devices: int
    device_milli: int
    cpu_milli: int
    memory_mib: int
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Typical:
    """How common a shape is expected to be: `share` of all requests, from 0 to 1. Memory does not count."""

    shape: Shape
    share: float


class Placed(NamedTuple):
    """Where one request went: indices of its shape, host and the devices on it (none for CPU only)."""

    shape: int
    host: int
    devices: tuple[int, ...]
