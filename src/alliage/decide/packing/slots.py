"""Whose room it is: the gangs that no statistics foresee, and how much of the demand wants a slot of each size."""

from collections.abc import Sequence

from alliage.decide.packing.limits import Demand
from alliage.decide.packing.scarcity import demand_milli
from alliage.decide.packing.shapes import WHOLE, Host, Shape, Typical


def unforeseen_gangs(hosts: Sequence[Host], wanting: Sequence[Typical], part: float) -> list[Typical]:
    """A gang for every number of devices of a host, with the typical cpu a device; `part` of the demand together.

    They keep some room whole where nothing typical wants it, and never come in the streams.
    """
    sizes = sorted({host.devices for host in hosts if host.devices > 1})
    milli = sum(one.share * demand_milli(one) for one in wanting)
    cpu = sum(one.share * one.shape.cpu_milli for one in wanting)
    if part <= 0 or milli <= 0:
        return []
    return [
        Typical(
            shape=Shape(devices=size, device_milli=WHOLE, cpu_milli=int(cpu / milli * WHOLE * size), memory_mib=0),
            share=part * milli / (len(sizes) * size * WHOLE),
        )
        for size in sizes
    ]


def slot_worths(wanting: Sequence[Typical], worths: Sequence[float]) -> list[float]:
    """Of each typical shape: the part of the demand that can use no smaller slot than its own.

    A slot for two devices is all the more worth keeping for every gang of four that wants it too; each alone looks
    rare where there are many sizes. Not so single whole devices, for which the fill value cares well enough.
    """
    return [
        sum(worth for at, worth in enumerate(worths) if at == which or _needs(wanting[at].shape, one.shape))
        for which, one in enumerate(wanting)
    ]


def _needs(large: Shape, small: Shape) -> bool:
    """Whether the one asks for more than the other in every way, and of the same kinds."""
    if large.kinds != small.kinds or large.cpu_milli < small.cpu_milli or _size(large) == _size(small):
        return False
    if small.devices > 1:
        return large.devices >= small.devices
    return small.device_milli < WHOLE and large.devices == 1 and small.device_milli <= large.device_milli < WHOLE


def _size(shape: Shape) -> Demand:
    return Demand(shape.cpu_milli, WHOLE if shape.devices > 1 else shape.device_milli, shape.devices)
