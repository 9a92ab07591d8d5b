"""What packing refuses to work with, before it is turned into arrays that could not hold it."""

from collections.abc import Sequence
from math import isfinite

from alliage.decide.packing.shapes import WHOLE, Host, Shape, Typical
from alliage.errors import BadInput

CPU_MILLI_MAX = 2**30
MEMORY_MIB_MAX = 2**50
DEVICES_MAX = 128
HOSTS_MAX = 1_000_000


def check(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical]) -> None:
    """Raises BadInput for a number that makes no sense or is beyond what packing counts with."""
    _within("the number of hosts", len(hosts), 0, HOSTS_MAX)
    for host in hosts:
        _within("a host's devices", host.devices, 0, DEVICES_MAX)
        _within("a host's cpu_milli", host.cpu_milli, 0, CPU_MILLI_MAX)
        _within("a host's memory_mib", host.memory_mib, 0, MEMORY_MIB_MAX)
    for shape in shapes:
        _check_shape(shape)
    for one in typical:
        _check_shape(one.shape)
        if not (isfinite(one.share) and 0 <= one.share <= 1):
            raise BadInput(f"a typical shape has the share {one.share}", remedy="shares are from 0 to 1")


def _check_shape(shape: Shape) -> None:
    _within("a shape's devices", shape.devices, 0, DEVICES_MAX)
    _within("a shape's device_milli", shape.device_milli, 1 if shape.devices else 0, WHOLE)
    _within("a shape's cpu_milli", shape.cpu_milli, 0, CPU_MILLI_MAX)
    _within("a shape's memory_mib", shape.memory_mib, 0, MEMORY_MIB_MAX)


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadInput(f"{what} is {value}", remedy=f"it must be from {least} to {most}")
