"""How scarce cpu is beside devices, and the cell that cpu is rounded down to."""

from collections.abc import Sequence
from math import inf

from alliage.decide.packing.shapes import WHOLE, Host, Typical


def bare_share(hosts: Sequence[Host], typical: Sequence[Typical]) -> float:
    """How much of the demand for cpu alone will fall on hosts with devices, from 0 to 1.

    0 while typical demand that filled all devices would leave cpu over, since such requests then find cpu that no
    device needs; 1 where it would want half as much again as there is.
    """
    return min(1.0, max(0.0, 2 * (_cpu_wanted(hosts, typical) - 1)))


def reach(hosts: Sequence[Host], typical: Sequence[Typical]) -> float:
    """The part of the devices that typical demand can fill before cpu runs out, from 0 to 1."""
    wanted = _cpu_wanted(hosts, typical)
    return 1.0 if wanted <= 1 else 1 / wanted


def _cpu_wanted(hosts: Sequence[Host], typical: Sequence[Typical]) -> float:
    """The cpu of typical demand that fills all devices, over the cpu there is."""
    milli = sum(one.share * demand_milli(one) for one in typical)
    cpu = sum(one.share * one.shape.cpu_milli for one in typical)
    devices, cpus = sum(host.devices for host in hosts) * WHOLE, sum(host.cpu_milli for host in hosts)
    return cpu / milli * devices / cpus if milli > 0 and cpus > 0 else inf


def demand_milli(one: Typical) -> int:
    """Milli of all devices that a typical shape takes."""
    return one.shape.devices * (one.shape.device_milli if one.shape.devices == 1 else WHOLE)


def cell_of(typical: Sequence[Typical], a_request: float) -> int:
    """The mean cpu of typical shapes with devices over `a_request`, rounded down to 1, 2 or 5 times a power of ten."""
    wanting = [one for one in typical if one.shape.devices > 0]
    total = sum(one.share for one in wanting)
    mean = sum(one.share * one.shape.cpu_milli for one in wanting) / total if total > 0 else 0
    cells = [mantissa * 10**power for power in range(10) for mantissa in (1, 2, 5)]
    return max([cell for cell in cells if cell * a_request <= mean], default=1)
