"""Makes of hosts: a kind with so many devices. What the arrays and kernels call a kind is a make.

A gang of four finds no room on hosts of two, whatever their kind; so it is priced as a request is that accepts few kinds, and
what is small is sent where what is large cannot go.
"""

from typing import NamedTuple

from alliage.decide.packing.shapes import Host, Shape


class Make(NamedTuple):
    """A kind of device and how many of it a host has."""

    kind: str
    devices: int


class Mask(NamedTuple):
    """The makes that a shape can use: of these kinds (any where empty), with so many devices or more."""

    kinds: frozenset[str]
    devices: int

    def takes(self, make: Make) -> bool:
        """Whether it can use the make."""
        return make.devices >= self.devices and (not self.kinds or make.kind in self.kinds)

    @property
    def order(self) -> tuple[list[str], int]:
        """What masks are sorted by, so that sums over them are added in the same order everywhere."""
        return sorted(self.kinds), self.devices


def make_of(host: Host) -> Make:
    """The make of a host."""
    return Make(host.kind, host.devices)


def mask_of(shape: Shape) -> Mask:
    """The makes that a shape can use."""
    return Mask(shape.kinds, shape.devices)
