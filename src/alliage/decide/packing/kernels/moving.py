"""Hosts change their spot, and with it their group and the totals."""

from alliage.decide.packing.kernels.filling import evaluate
from alliage.decide.packing.kernels.values import copy_idle, find, gap_of, value_of
from alliage.decide.packing.layout import (
    COUNT,
    COUNT_CELL,
    COUNT_IDLE,
    COUNT_LIVE,
    COUNT_SPOTS,
    COUNT_TOP,
    CPU,
    DEMAND,
    DEVICES,
    FIRST,
    GROUP_COUNT,
    GROUP_CPU_MAX,
    GROUP_CPU_MIN,
    GROUP_GAP,
    GROUP_HEAD,
    GROUP_IDLE,
    GROUP_KIND,
    GROUP_LARGEST,
    GROUP_MEMORY_MAX,
    GROUP_MEMORY_MIN,
    GROUP_POSITION,
    GROUP_SPOT,
    GROUP_TYPE,
    GROUP_VALUE,
    GROUP_WHOLE,
    HOST_BEFORE,
    HOST_CPU,
    HOST_GROUP,
    HOST_HELD,
    HOST_MEMORY,
    HOST_NEXT,
    HOST_TYPE,
    KEY_CPU,
    KIND,
    MEMORY,
    MILLI,
    MOST,
    UNKNOWN,
    Books,
    Longs,
)
from alliage.decide.packing.shapes import WHOLE


def leave(books: Books, host: int) -> None:
    """Takes a host out of its group; a group without hosts is free for another spot."""
    group = books.host[host, HOST_GROUP]
    after, earlier = books.host[host, HOST_NEXT], books.host[host, HOST_BEFORE]
    if earlier >= 0:
        books.host[earlier, HOST_NEXT] = after
    else:
        books.group[group, GROUP_HEAD] = after
    if after >= 0:
        books.host[after, HOST_BEFORE] = earlier
    books.group[group, GROUP_COUNT] -= 1
    if books.group[group, GROUP_COUNT] > 0:
        return
    books.spot_group[0, books.group[group, GROUP_SPOT]] = -1
    last = books.count[0, COUNT_LIVE] - 1
    moved, at = books.live[0, last], books.group[group, GROUP_POSITION]
    books.live[0, at] = moved
    books.group[moved, GROUP_POSITION] = at
    books.live[0, last] = group
    books.count[0, COUNT_LIVE] = last


def emptiness(books: Books, host: int) -> int:
    """The row of `open_price` for a host of that type that holds so many requests; -1 where it holds too many."""
    levels = books.chance.shape[1] - 1
    held = books.host[host, HOST_HELD]
    return books.host[host, HOST_TYPE] * levels + held if held < levels else -1


def spot_of(books: Books, host: int) -> int:
    """The spot that a host is in by its own cpu and idle; scratch[0, 3:] holds the idle, ascending."""
    key = books.scratch[0]
    kind_of_host = books.host[host, HOST_TYPE]
    devices = books.types[kind_of_host, 1]
    for index in range(devices):
        idle = books.idle[host, index]
        at = FIRST + index
        while at > FIRST and key[at - 1] > idle:
            key[at] = key[at - 1]
            at -= 1
        key[at] = idle
    cpu = books.host[host, HOST_CPU]
    empty = 1 + emptiness(books, host)
    key[KIND] = books.types[kind_of_host, 0] + books.accept.shape[1] * empty
    key[KEY_CPU] = cpu - cpu % books.count[0, COUNT_CELL]
    key[COUNT] = devices
    at = find(books.spot_table, books.spot_key, key, FIRST + devices)
    if books.spot_table[0, at] >= 0:
        return books.spot_table[0, at]
    spot = books.count[0, COUNT_SPOTS]
    books.count[0, COUNT_SPOTS] = spot + 1
    books.spot_table[0, at] = spot
    books.spot_group[0, spot] = -1
    for index in range(FIRST + devices):
        books.spot_key[spot, index] = key[index]
    return spot


def found_group(books: Books, spot: int, kind: int, empty: int) -> int:
    """A new group for a spot, without hosts; its fill value is known to the end."""
    at = books.count[0, COUNT_LIVE]
    group = books.live[0, at]
    books.count[0, COUNT_LIVE] = at + 1
    books.count[0, COUNT_TOP] = max(books.count[0, COUNT_TOP], group + 1)
    devices = books.spot_key[spot, COUNT]
    total = copy_idle(books, spot, devices)
    value = value_of(books, kind, books.spot_key[spot, KEY_CPU], devices)
    evaluate(books, value, MOST)
    whole = 0
    for index in range(FIRST, FIRST + devices):
        if books.spot_key[spot, index] == WHOLE:
            whole += 1
    books.spot_group[0, spot] = group
    row = books.group[group]
    row[GROUP_SPOT], row[GROUP_VALUE], row[GROUP_TYPE] = spot, value, empty
    row[GROUP_GAP] = gap_of(books, value, total, devices)
    row[GROUP_COUNT], row[GROUP_HEAD], row[GROUP_POSITION], row[GROUP_KIND] = 0, -1, at, kind
    row[GROUP_LARGEST] = books.spot_key[spot, FIRST + devices - 1] if devices > 0 else 0
    row[GROUP_WHOLE], row[GROUP_IDLE] = whole, total
    row[GROUP_CPU_MAX], row[GROUP_CPU_MIN], row[GROUP_MEMORY_MAX], row[GROUP_MEMORY_MIN] = -1, MOST, -1, MOST
    for demand in range(books.demand.shape[0]):
        books.cell[demand, 2 * group * books.idle.shape[1]] = UNKNOWN
    return group


def join(books: Books, host: int) -> None:
    """Puts a host into the group of its spot."""
    spot = spot_of(books, host)
    group = books.spot_group[0, spot]
    if group < 0:
        kind_of_host = books.host[host, HOST_TYPE]
        group = found_group(books, spot, books.types[kind_of_host, 0], emptiness(books, host))
    row = books.group[group]
    head = row[GROUP_HEAD]
    books.host[host, HOST_NEXT], books.host[host, HOST_BEFORE], books.host[host, HOST_GROUP] = head, -1, group
    if head >= 0:
        books.host[head, HOST_BEFORE] = host
    row[GROUP_HEAD] = host
    row[GROUP_COUNT] += 1
    cpu, memory = books.host[host, HOST_CPU], books.host[host, HOST_MEMORY]
    row[GROUP_CPU_MAX], row[GROUP_CPU_MIN] = max(row[GROUP_CPU_MAX], cpu), min(row[GROUP_CPU_MIN], cpu)
    row[GROUP_MEMORY_MAX] = max(row[GROUP_MEMORY_MAX], memory)
    row[GROUP_MEMORY_MIN] = min(row[GROUP_MEMORY_MIN], memory)


def count_host(books: Books, host: int, by: int) -> None:
    """Adds a host, times `by`, to the totals: its slots, its idle milli and, if it is empty, who it is as large as."""
    kind_of_host = books.host[host, HOST_TYPE]
    kind, devices, cpu = books.types[kind_of_host, 0], books.types[kind_of_host, 1], books.types[kind_of_host, 2]
    group = books.host[host, HOST_GROUP]
    value = books.group[group, GROUP_VALUE]
    for which in range(books.classes.shape[0]):
        books.slots_of[kind, which] += by * books.value_slots[value, which]
    books.kind_idle[0, kind] += by * books.group[group, GROUP_IDLE]
    books.count[0, COUNT_IDLE] += by * books.group[group, GROUP_IDLE]
    chance = books.chance[0, min(books.host[host, HOST_HELD], books.chance.shape[1] - 1)]
    if chance > 0:
        for other in range(books.types.shape[0]):
            if devices >= books.types[other, 1] and cpu >= books.types[other, 2]:
                books.opens[0, other] += by * chance


def take(books: Books, host: int, shape: int, devices: Longs, by: int) -> None:
    """Takes (`by` 1) or gives back (-1) what a shape holds on a host and those devices."""
    demand = books.need[shape, DEMAND]
    count_host(books, host, -1)
    leave(books, host)
    milli = books.demand[demand, MILLI]
    for index in range(books.demand[demand, DEVICES]):
        books.idle[host, devices[index]] -= by * milli
    books.host[host, HOST_CPU] -= by * books.demand[demand, CPU]
    books.host[host, HOST_MEMORY] -= by * books.need[shape, MEMORY]
    books.host[host, HOST_HELD] += by
    join(books, host)
    count_host(books, host, 1)


def may_take(books: Books, host: int, shape: int, devices: Longs, by: int) -> bool:
    """Whether a host would still hold no less than nothing and no more than it has."""
    demand, kind_of_host = books.need[shape, DEMAND], books.host[host, HOST_TYPE]
    cpu = books.host[host, HOST_CPU] - by * books.demand[demand, CPU]
    memory = books.host[host, HOST_MEMORY] - by * books.need[shape, MEMORY]
    if cpu < 0 or cpu > books.types[kind_of_host, 2] or memory < 0 or memory > books.types[kind_of_host, 3]:
        return False
    if books.host[host, HOST_HELD] + by < 0:
        return False
    for index in range(books.demand[demand, DEVICES]):
        idle = books.idle[host, devices[index]] - by * books.demand[demand, MILLI]
        if idle < 0 or idle > WHOLE:
            return False
    return True


def pick_host(books: Books, group: int, shape: int) -> int:
    """Of the group's hosts that have room: the one with the least cpu, then the least memory."""
    cpu, memory = books.demand[books.need[shape, DEMAND], CPU], books.need[shape, MEMORY]
    picked = -1
    host = books.group[group, GROUP_HEAD]
    while host >= 0:
        has_cpu, has_memory = books.host[host, HOST_CPU], books.host[host, HOST_MEMORY]
        if (
            has_cpu >= cpu
            and has_memory >= memory
            and (
                picked < 0
                or has_cpu < books.host[picked, HOST_CPU]
                or (has_cpu == books.host[picked, HOST_CPU] and has_memory < books.host[picked, HOST_MEMORY])
            )
        ):
            picked = host
        host = books.host[host, HOST_NEXT]
    return picked


def pick_devices(books: Books, host: int, shape: int, way: int, devices: Longs) -> None:
    """The first devices of the way: one with the idle that the way means, or idle ones."""
    demand = books.need[shape, DEMAND]
    milli, count = books.demand[demand, MILLI], books.demand[demand, DEVICES]
    wanted = WHOLE
    if count == 1 and milli < WHOLE:
        spot = books.group[books.host[host, HOST_GROUP], GROUP_SPOT]
        seen, last = -1, -1
        for index in range(FIRST, FIRST + books.spot_key[spot, COUNT]):
            idle = books.spot_key[spot, index]
            if idle >= milli and idle != last:
                last = idle
                seen += 1
                if seen == way:
                    wanted = idle
    found = 0
    for index in range(books.types[books.host[host, HOST_TYPE], 1]):
        if found < count and books.idle[host, index] == wanted:
            devices[found] = index
            found += 1
