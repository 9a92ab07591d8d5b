"""A made-up fleet for stress workloads: kinds that differ in devices, CPU and memory, some of each rare."""

from typing import Final

from alliage.decide.packing.shapes import Host

_KINDS: Final = (
    # kind, hosts, devices, cores, GiB
    ("wide", 40, 8, 96, 384),
    ("pair", 24, 2, 104, 512),
    ("lean", 16, 4, 32, 128),
    ("large", 6, 8, 128, 768),
    ("single", 10, 1, 8, 60),
)


def make_fleet() -> tuple[Host, ...]:
    """96 hosts with 490 devices of five kinds."""
    return tuple(
        Host(kind=kind, devices=devices, cpu_milli=cores * 1000, memory_mib=gib * 1024)
        for kind, count, devices, cores, gib in _KINDS
        for _ in range(count)
    )
