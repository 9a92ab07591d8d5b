"""Gangs on nodes: which sizes a pool can host, the rows that say how many, and a real packing to check them by.

A gang within a node counts as the next power of two of devices; gangs that are powers of two are so counted exactly,
others with what rounding wastes (one of 3 takes the place of 4). One that rounding would make larger than a node takes
a whole node. A gang larger than a node takes whole nodes of one pool, and is refused where they do not add up to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alliage.decide.solve.problem import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """What a gang takes in a pool: a slot of `slot` devices (a power of two) on one node, or `nodes` whole nodes."""

    devices: int
    slot: int
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One row of a pool's capacity: gangs of `slot` devices or more take at most `usable` devices of each node."""

    slot: int
    usable: int


def gang_in(devices: int, pool: Pool) -> Gang | None:
    """What a gang of so many devices takes in this pool; None where it cannot stand there at all."""
    size = pool.node_devices
    if devices > size:
        return Gang(devices=devices, slot=0, nodes=devices // size) if devices % size == 0 else None
    slot = 1 << (devices - 1).bit_length()
    if devices == size or slot > size:
        return Gang(devices=devices, slot=0, nodes=1)
    return Gang(devices=devices, slot=slot, nodes=0)


def levels_of(gangs: Iterable[Gang], pool: Pool) -> tuple[Level, ...]:
    """The rows that are needed, smallest slot first; a level that a smaller one implies is left out.

    Exact, because slots divide each other: when gangs are placed largest first, every node has a multiple of the next
    slot free, so one finds a place as long as the sum of slots is not reached.
    """
    slots = sorted({gang.slot for gang in gangs if gang.slot}) or [pool.node_devices]
    levels: list[Level] = []
    for slot in slots:
        usable = pool.node_devices // slot * slot
        if not levels or usable < levels[-1].usable:
            levels.append(Level(slot=slot, usable=usable))
    return tuple(levels)


def takes(gang: Gang, level: Level) -> int:
    """Devices that the gang takes of this level's `usable`; 0 where it is too small to count."""
    if gang.nodes:
        return gang.nodes * level.usable
    return gang.slot if gang.slot >= level.slot else 0


def pack(
    gangs: Sequence[tuple[int, Gang, int]], pool: Pool, *, apart: frozenset[int] = frozenset()
) -> Mapping[tuple[int, Gang], int]:
    """Place (work, gang, count) on the pool's nodes, largest first; how many of each found no place.

    Of a work in `apart` no two stand on one node: it takes the emptiest node that has none of it, the others fill up.
    """
    left: dict[tuple[int, Gang], int] = {}
    alike: dict[tuple[int, frozenset[int]], int] = {(pool.node_devices, frozenset()): pool.nodes}
    ordered = sorted(gangs, key=lambda each: (-each[1].nodes, -each[1].slot, each[0] not in apart, each[0]))
    for work, gang, count in ordered:
        missing = _place(alike, work if work in apart else None, gang, count, pool)
        if missing:
            left[work, gang] = left.get((work, gang), 0) + missing
    return left


def _place(alike: dict[tuple[int, frozenset[int]], int], work: int | None, gang: Gang, count: int, pool: Pool) -> int:
    """Take `count` places off groups of alike nodes (free devices, who is on them, how many); returns what is left."""
    size = gang.slot or pool.node_devices
    while count:
        able = [key for key in alike if key[0] >= size and (work is None or work not in key[1])]
        if not able:
            return count
        free, there = key = max(able, key=_emptiest) if work is not None else min(able, key=_emptiest)
        nodes = alike[key]
        if gang.nodes:
            done = min(count, nodes // gang.nodes)
            if not done:
                return count
            touched = done * gang.nodes
            after = (0, there)
        else:
            each = 1 if work is not None else min(free // size, count)
            touched = min(nodes, count // each)
            done = touched * each
            after = (free - each * size, there if work is None else there | {work})
        alike[key] -= touched
        if not alike[key]:
            del alike[key]
        alike[after] = alike.get(after, 0) + touched
        count -= done
    return 0


def _emptiest(key: tuple[int, frozenset[int]]) -> tuple[int, int, list[int]]:
    free, there = key
    return (free, -len(there), sorted(there))
