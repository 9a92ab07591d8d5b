"""The ways to place a demand on a group: each distinct device it can share, or the only way for whole devices."""

from alliage.decide.packing.kernels.values import copy_idle, gap_of, value_of
from alliage.decide.packing.layout import (
    COUNT,
    CPU,
    DEMAND,
    DEVICES,
    END,
    FIRST,
    GROUP_CPU_MAX,
    GROUP_CPU_MIN,
    GROUP_HEAD,
    GROUP_IDLE,
    GROUP_KIND,
    GROUP_LARGEST,
    GROUP_MEMORY_MAX,
    GROUP_MEMORY_MIN,
    GROUP_SPOT,
    GROUP_TYPE,
    GROUP_WHOLE,
    HOST_CPU,
    HOST_MEMORY,
    HOST_NEXT,
    KEY_CPU,
    MASK,
    MEMORY,
    MILLI,
    Books,
    Longs,
)
from alliage.decide.packing.shapes import WHOLE


def note_way(books: Books, group: int, demand: int, way: int, cpu: int, total: int) -> None:
    """The fill value and the gap that a way to place leads to, from the idle in scratch."""
    kind = books.group[group, GROUP_KIND]
    devices = books.spot_key[books.group[group, GROUP_SPOT], COUNT]
    value = value_of(books, kind, cpu, devices)
    at = 2 * (group * books.idle.shape[1] + way)
    books.cell[demand, at] = value
    books.cell[demand, at + 1] = gap_of(books, value, total, devices)


def find_ways(books: Books, group: int, demand: int) -> None:
    """All ways to place a demand on a group that has room for it, into its cells."""
    spot = books.group[group, GROUP_SPOT]
    devices = books.spot_key[spot, COUNT]
    cpu = books.spot_key[spot, KEY_CPU] - books.demand[demand, CPU]
    milli, count = books.demand[demand, MILLI], books.demand[demand, DEVICES]
    ways = 0
    if count == 1 and milli < WHOLE:
        last = -1
        for index in range(FIRST, FIRST + devices):
            idle = books.spot_key[spot, index]
            if idle < milli or idle == last:
                continue
            last = idle
            total = copy_idle(books, spot, devices)
            at = index
            while at > FIRST and books.scratch[0, at - 1] > idle - milli:
                books.scratch[0, at] = books.scratch[0, at - 1]
                at -= 1
            books.scratch[0, at] = idle - milli
            note_way(books, group, demand, ways, cpu, total - milli)
            ways += 1
    else:
        total = copy_idle(books, spot, devices)
        for index in range(FIRST + devices - 1, FIRST + count - 1, -1):
            books.scratch[0, index] = books.scratch[0, index - count]
        for index in range(FIRST, FIRST + count):
            books.scratch[0, index] = 0
        note_way(books, group, demand, 0, cpu, total - WHOLE * count)
        ways = 1
    if ways < books.idle.shape[1]:
        books.cell[demand, 2 * (group * books.idle.shape[1] + ways)] = END


def someone_fits(group: Longs, host: Longs, at: int, cpu: int, memory: int) -> bool:
    """Whether a member of the group at `at` has that cpu and memory."""
    if cpu > group[at, GROUP_CPU_MAX] or memory > group[at, GROUP_MEMORY_MAX]:
        return False
    if cpu <= group[at, GROUP_CPU_MIN] and memory <= group[at, GROUP_MEMORY_MIN]:
        return True
    member = group[at, GROUP_HEAD]
    while member >= 0:
        if host[member, HOST_CPU] >= cpu and host[member, HOST_MEMORY] >= memory:
            return True
        member = host[member, HOST_NEXT]
    return False


def has_room(group: Longs, host: Longs, need: Longs, demand: Longs, accept: Longs, at: int, shape: int) -> bool:
    """Whether a member of the group at `at` can host the shape now."""
    wanted = need[shape, DEMAND]
    milli, count = demand[wanted, MILLI], demand[wanted, DEVICES]
    if count > 0:
        if count == 1 and milli < WHOLE:
            if group[at, GROUP_LARGEST] < milli:
                return False
        elif group[at, GROUP_WHOLE] < count:
            return False
        if accept[need[shape, MASK], group[at, GROUP_KIND]] == 0:
            return False
    return someone_fits(group, host, at, demand[wanted, CPU], need[shape, MEMORY])


def before(books: Books, group: int, way: int, other: int, other_way: int) -> bool:
    """Who is taken at equal cost: least idle, least cpu, used before empty, least idle devices, scarcer kind, type."""
    if other < 0:
        return True
    if group == other:
        return way < other_way
    if books.group[group, GROUP_IDLE] != books.group[other, GROUP_IDLE]:
        return books.group[group, GROUP_IDLE] < books.group[other, GROUP_IDLE]
    if books.group[group, GROUP_TYPE] != books.group[other, GROUP_TYPE]:
        return books.group[group, GROUP_TYPE] < books.group[other, GROUP_TYPE]
    one, two = books.group[group, GROUP_SPOT], books.group[other, GROUP_SPOT]
    for column in range(KEY_CPU, FIRST + books.spot_key[one, COUNT]):
        if books.spot_key[one, column] != books.spot_key[two, column]:
            return books.spot_key[one, column] < books.spot_key[two, column]
    one, two = books.group[group, GROUP_KIND], books.group[other, GROUP_KIND]
    if books.kind_idle[0, one] != books.kind_idle[0, two]:
        return books.kind_idle[0, one] > books.kind_idle[0, two]
    return one < two
