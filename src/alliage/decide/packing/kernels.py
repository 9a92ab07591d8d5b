"""The inner loop of packing: plain functions over arrays, the same compiled by numba or not. One file, so that its
compiled form on disk is never older than a part of it. Costs are whole numbers of grains, so that no order of adding
changes an answer. A callee stands above its callers.

A *spot* is the exact state of a host (kind, cpu rounded down to a cell, idle milli of each device); hosts in one spot
are one *group*. A *fill value* is what spots are worth to typical shapes: idle rounded down to what these can fill, cpu
cut at what they can use. A *way* is one distinct device to share, or the only way for whole devices.
"""

import numpy as np

from alliage.decide.packing.layout import Books, Ints, Longs, Reals

CPU, MILLI, DEVICES, MILLI_ALL = 0, 1, 2, 3
DEMAND, MEMORY, MASK = 0, 1, 2
KIND, KEY_CPU, COUNT, FIRST = 0, 1, 2, 3  # of a key
WASTE, DONE, LEAST = 0, 1, 2
(
    GROUP_SPOT, GROUP_VALUE, GROUP_GAP, GROUP_TYPE, GROUP_COUNT, GROUP_HEAD, GROUP_KIND, GROUP_LARGEST, GROUP_WHOLE,
    GROUP_IDLE, GROUP_POSITION, GROUP_CPU_MAX, GROUP_CPU_MIN, GROUP_MEMORY_MAX, GROUP_MEMORY_MIN,
) = range(15)  # fmt: skip
HOST_GROUP, HOST_NEXT, HOST_BEFORE, HOST_CPU, HOST_MEMORY, HOST_TYPE, HOST_HELD = range(7)
COUNT_VALUES, COUNT_SPOTS, COUNT_LIVE, COUNT_IDLE, COUNT_GRAIN, COUNT_CELL, COUNT_STREAMS = range(7)
WHOLE = 1000
NO_ROOM, FULL = -1, -2
MOST = 1 << 61


def view(arena: Longs | Ints | Reals, places: Longs, index: int):  # type: ignore[no-untyped-def]
    """One array of the arena, two axes."""
    start, rows, columns = places[index, 0], places[index, 1], places[index, 2]
    return arena[start : start + rows * columns].reshape((rows, columns))


def open_books(longs: Longs, ints: Ints, reals: Reals, places: Longs) -> Books:
    """The views, in the order of `Books`."""
    return Books(
        view(longs, places, 0),
        view(longs, places, 1),
        view(longs, places, 2),
        view(longs, places, 3),
        view(longs, places, 4),
        view(longs, places, 5),
        view(longs, places, 6),
        view(longs, places, 7),
        view(longs, places, 8),
        view(longs, places, 9),
        view(longs, places, 10),
        view(longs, places, 11),
        view(longs, places, 12),
        view(longs, places, 13),
        view(longs, places, 14),
        view(longs, places, 15),
        view(longs, places, 16),
        view(longs, places, 17),
        view(longs, places, 18),
        view(longs, places, 19),
        view(longs, places, 20),
        view(longs, places, 21),
        view(longs, places, 22),
        view(ints, places, 23),
        view(ints, places, 24),
        view(ints, places, 25),
        view(ints, places, 26),
        view(ints, places, 27),
        view(ints, places, 28),
        view(ints, places, 29),
        view(ints, places, 30),
        view(ints, places, 31),
        view(reals, places, 32),
        view(reals, places, 33),
        view(reals, places, 34),
        view(reals, places, 35),
    )


def fill(stream: Ints, cpu: int, idle: Longs, devices: int, least: Longs) -> int:
    """Milli that one stream of typical shapes fills of a host; `idle` ascends and is spoiled."""
    filled = 0
    top = devices - 1
    at = 0
    while stream[at] >= 0:
        wanted, milli, count = stream[at], stream[at + 1], stream[at + 2]
        at += 3
        if wanted > cpu or milli > idle[top]:
            continue
        if milli < WHOLE:
            place = 0
            while idle[place] < milli:
                place += 1
            left = idle[place] - milli
            while place > 0 and idle[place - 1] > left:
                idle[place] = idle[place - 1]
                place -= 1
            idle[place] = left
            filled += milli
        else:
            if devices < count or idle[devices - count] < WHOLE:
                continue
            for place in range(top, count - 1, -1):
                idle[place] = idle[place - count]
            for place in range(count):
                idle[place] = 0
            filled += WHOLE * count
        cpu -= wanted
        if least[idle[top]] > cpu:
            break
    return filled


def evaluate(books: Books, value: int, most: int) -> None:
    """Goes on with the streams of a fill value until all are done or its waste passes `most`."""
    streams = books.count[0, COUNT_STREAMS]
    done = books.value[value, DONE]
    if done >= streams:
        return
    kind = books.value_key[value, KIND]
    cpu = books.value_key[value, KEY_CPU]
    devices = books.value_key[value, COUNT]
    least = books.least[kind]
    total = 0
    for index in range(devices):
        total += books.value_key[value, FIRST + index]
    if total == 0 or least[books.value_key[value, FIRST + devices - 1]] > cpu:
        books.value[value, WASTE] = total * streams
        books.value[value, DONE] = streams
        return
    waste = books.value[value, WASTE]
    idle = books.scratch[1]
    while done < streams and waste <= most:
        for index in range(devices):
            idle[index] = books.value_key[value, FIRST + index]
        waste += total - fill(books.stream[kind * streams + done], cpu, idle, devices, least)
        done += 1
    books.value[value, WASTE] = waste
    books.value[value, DONE] = done


def find(table: Ints, keys: Ints, key: Longs, width: int) -> int:
    """Where in the table the key is, or the empty place where it belongs."""
    mixed = 0
    for index in range(width):
        mixed = (mixed * 1000003 + key[index]) & 0x7FFFFFFF
    mixed = (mixed * 1000003) & 0x7FFFFFFF
    mask = table.shape[1] - 1
    at = (mixed ^ (mixed >> 13)) & mask
    while table[0, at] >= 0:
        row = table[0, at]
        same = True
        for index in range(width):
            if keys[row, index] != key[index]:
                same = False
                break
        if same:
            return at
        at = (at + 1) & mask
    return at


def fitting_slots(classes: Longs, which: int, cpu: int, idle: Longs, devices: int) -> int:
    """How many of a class fit now, each alone: by cpu, and by devices."""
    milli, count = classes[which, 1], classes[which, 2]
    fitting = 0
    at = devices - 1
    while at >= 0 and idle[at] >= milli:
        fitting += idle[at] // milli
        at -= 1
    fitting //= count
    if classes[which, 0] > 0:
        fitting = min(fitting, cpu // classes[which, 0])
    return fitting


def value_of(books: Books, kind: int, cpu: int, devices: int) -> int:
    """The fill value of a kind with that cpu and the ascending idle in scratch[0, 3:], which is rounded in place."""
    key = books.scratch[0]
    can_use = 0
    total = 0
    for index in range(FIRST, FIRST + devices):
        key[index] = books.rounded[kind, key[index]]
        can_use += books.appetite[kind, key[index]]
        total += key[index]
    cell = books.count[0, COUNT_CELL]
    cpu = max(cpu, 0)
    cpu = min(cpu - cpu % cell, can_use + (-can_use) % cell)
    key[KIND], key[KEY_CPU], key[COUNT] = kind, cpu, devices
    at = find(books.value_table, books.value_key, key, FIRST + devices)
    if books.value_table[0, at] >= 0:
        return books.value_table[0, at]
    value = books.count[0, COUNT_VALUES]
    books.count[0, COUNT_VALUES] = value + 1
    books.value_table[0, at] = value
    for index in range(FIRST + devices):
        books.value_key[value, index] = key[index]
    streams = books.count[0, COUNT_STREAMS]
    most = books.reach[kind, min(cpu // cell, books.reach.shape[1] - 1)]
    books.value[value, WASTE] = 0
    books.value[value, DONE] = 0
    books.value[value, LEAST] = max(0, total - most) * streams
    for which in range(books.classes.shape[0]):
        fits = 0
        if books.served[kind, which] > 0:
            fits = fitting_slots(books.classes, which, cpu, key[FIRST:], devices)
        books.value_slots[value, which] = fits
    return value


def waste_at_least(books: Books, value: int) -> int:
    """What the waste of a fill value cannot be less than, as far as its streams are known."""
    return max(books.value[value, WASTE], books.value[value, LEAST])


def copy_idle(books: Books, spot: int, devices: int) -> int:
    """The idle milli of a spot into scratch[0, 3:]; their sum."""
    total = 0
    for index in range(FIRST, FIRST + devices):
        books.scratch[0, index] = books.spot_key[spot, index]
        total += books.spot_key[spot, index]
    return total


def gap_of(books: Books, value: int, total: int, devices: int) -> int:
    """Idle milli, of that total, that the rounding of a fill value left out."""
    for index in range(FIRST, FIRST + devices):
        total -= books.value_key[value, index]
    return total


def note_way(books: Books, group: int, demand: int, way: int, cpu: int, total: int) -> None:
    """The fill value and the gap that a way to place leads to, from the idle in scratch."""
    kind = books.group[group, GROUP_KIND]
    devices = books.spot_key[books.group[group, GROUP_SPOT], COUNT]
    value = value_of(books, kind, cpu, devices)
    at = 2 * (demand * books.idle.shape[1] + way)
    books.cell[group, at] = value
    books.cell[group, at + 1] = gap_of(books, value, total, devices)


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
        books.cell[group, 2 * (demand * books.idle.shape[1] + ways)] = -2


def set_prices(books: Books, shape: int) -> None:
    """What a kind and a slot of each class cost now, in grains."""
    kinds = books.accept.shape[1]
    idle = books.count[0, COUNT_IDLE]
    grain = books.count[0, COUNT_GRAIN]
    for kind in range(kinds):
        books.demand_price[0, kind] = 0.0
        for which in range(books.classes.shape[0]):
            books.slot_price[kind, which] = 0
    for mask in range(books.accept.shape[0]):
        if books.mask_worth[0, mask] > 0.0:
            room = 0
            for kind in range(kinds):
                room += books.accept[mask, kind] * books.kind_idle[0, kind]
            price = books.mask_worth[0, mask] * idle / max(room, 1)
            for kind in range(kinds):
                if books.accept[mask, kind] > 0:
                    books.demand_price[0, kind] += price
    milli = books.demand[books.need[shape, DEMAND], MILLI_ALL]
    for kind in range(kinds):
        books.kind_price[0, kind] = int(books.weight[0, 0] * milli * books.demand_price[0, kind] * grain)
    for index in range(books.typical.shape[0]):
        which, mask = books.typical[index, 0], books.typical[index, 1]
        slots = 0
        for kind in range(kinds):
            slots += books.accept[mask, kind] * books.slots_of[kind, which]
        cost = int(books.weight[0, 1] * books.worth[0, index] * idle / max(slots, 1) * grain)
        for kind in range(kinds):
            books.slot_price[kind, which] += books.accept[mask, kind] * cost


def slot_cost(books: Books, kind: int, before: int, after: int) -> int:
    """Grains for the slots that a host loses between two fill values."""
    cost = 0
    for which in range(books.classes.shape[0]):
        cost += books.slot_price[kind, which] * (books.value_slots[before, which] - books.value_slots[after, which])
    return cost


def open_cost(books: Books, group: int) -> int:
    """Grains for the first request on an empty host: more for a large one, the fewer there are as large."""
    kind_of_host = books.group[group, GROUP_TYPE]
    if kind_of_host < 0:
        return 0
    eighths = books.types[kind_of_host, 1] / 8.0
    return int(books.weight[0, 2] * eighths / books.opens[0, kind_of_host] * WHOLE * books.count[0, COUNT_GRAIN])


def someone_fits(books: Books, group: int, cpu: int, memory: int) -> bool:
    """Whether a member of the group has that cpu and memory."""
    if cpu > books.group[group, GROUP_CPU_MAX] or memory > books.group[group, GROUP_MEMORY_MAX]:
        return False
    if cpu <= books.group[group, GROUP_CPU_MIN] and memory <= books.group[group, GROUP_MEMORY_MIN]:
        return True
    host = books.group[group, GROUP_HEAD]
    while host >= 0:
        if books.host[host, HOST_CPU] >= cpu and books.host[host, HOST_MEMORY] >= memory:
            return True
        host = books.host[host, HOST_NEXT]
    return False


def has_room(books: Books, group: int, shape: int) -> bool:
    """Whether a member of the group can host the shape now."""
    demand = books.need[shape, DEMAND]
    milli, count = books.demand[demand, MILLI], books.demand[demand, DEVICES]
    if count > 0:
        if books.accept[books.need[shape, MASK], books.group[group, GROUP_KIND]] == 0:
            return False
        if count == 1 and milli < WHOLE:
            if books.group[group, GROUP_LARGEST] < milli:
                return False
        elif books.group[group, GROUP_WHOLE] < count:
            return False
    return someone_fits(books, group, books.demand[demand, CPU], books.need[shape, MEMORY])


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


def consider(books: Books, shape: int) -> tuple[int, int, int, int]:
    """Scans the groups. The cheapest way that is known exactly (cost, group, way), and how many might be cheaper."""
    demand = books.need[shape, DEMAND]
    wants = books.demand[demand, DEVICES] > 0
    streams = books.count[0, COUNT_STREAMS]
    scale = books.count[0, COUNT_GRAIN] // streams
    width = books.idle.shape[1]
    best, best_group, best_way, waiting = MOST, -1, 0, 0
    for index in range(books.count[0, COUNT_LIVE]):
        group = books.live[0, index]
        if not has_room(books, group, shape):
            continue
        if books.cell[group, 2 * demand * width] == -1:
            find_ways(books, group, demand)
        kind = books.group[group, GROUP_KIND]
        held = books.group[group, GROUP_VALUE]
        fixed = open_cost(books, group) - scale * (books.value[held, WASTE] + streams * books.group[group, GROUP_GAP])
        if wants:
            fixed += books.kind_price[0, kind]
        for way in range(width):
            value = books.cell[group, 2 * (demand * width + way)]
            if value < 0:
                break
            cost = fixed + scale * streams * books.cell[group, 2 * (demand * width + way) + 1]
            cost += scale * waste_at_least(books, value)
            if cost > best:
                continue
            cost += slot_cost(books, kind, held, value)
            if books.value[value, DONE] < streams:
                if cost <= best:
                    books.candidate[waiting, 0] = cost
                    books.candidate[waiting, 1] = group
                    books.candidate[waiting, 2] = way
                    waiting += 1
            elif cost < best or (cost == best and before(books, group, way, best_group, best_way)):
                best, best_group, best_way = cost, group, way
    return best, best_group, best_way, waiting


def choose(books: Books, shape: int) -> tuple[int, int, int]:
    """The cheapest way of all: cost, group (-1 where nothing has room), way."""
    set_prices(books, shape)
    best, best_group, best_way, waiting = consider(books, shape)
    demand = books.need[shape, DEMAND]
    streams = books.count[0, COUNT_STREAMS]
    scale = books.count[0, COUNT_GRAIN] // streams
    while waiting > 0:
        least = 0
        for index in range(1, waiting):
            if books.candidate[index, 0] < books.candidate[least, 0]:
                least = index
        cost, group, way = books.candidate[least, 0], books.candidate[least, 1], books.candidate[least, 2]
        if cost > best:
            break
        waiting -= 1
        for column in range(3):
            books.candidate[least, column] = books.candidate[waiting, column]
        value = books.cell[group, 2 * (demand * books.idle.shape[1] + way)]
        known = waste_at_least(books, value)
        evaluate(books, value, known + (best - cost) // scale)
        cost += scale * (waste_at_least(books, value) - known)
        if books.value[value, DONE] >= streams and (
            cost < best or (cost == best and before(books, group, way, best_group, best_way))
        ):
            best, best_group, best_way = cost, group, way
    return best, best_group, best_way


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
    empty = kind_of_host + 1 if books.host[host, HOST_HELD] == 0 else 0
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
        books.cell[group, 2 * demand * books.idle.shape[1]] = -1
    return group


def join(books: Books, host: int) -> None:
    """Puts a host into the group of its spot."""
    spot = spot_of(books, host)
    group = books.spot_group[0, spot]
    if group < 0:
        kind_of_host = books.host[host, HOST_TYPE]
        empty = kind_of_host if books.host[host, HOST_HELD] == 0 else -1
        group = found_group(books, spot, books.types[kind_of_host, 0], empty)
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
    if books.host[host, HOST_HELD] == 0:
        for other in range(books.types.shape[0]):
            if devices >= books.types[other, 1] and cpu >= books.types[other, 2]:
                books.opens[0, other] += by


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


def pick_host(books: Books, group: int, shape: int) -> int:
    """Of the group's hosts that have room: the one with the least cpu, then the least memory."""
    cpu, memory = books.demand[books.need[shape, DEMAND], CPU], books.need[shape, MEMORY]
    picked = -1
    host = books.group[group, GROUP_HEAD]
    while host >= 0:
        has_cpu, has_memory = books.host[host, HOST_CPU], books.host[host, HOST_MEMORY]
        if has_cpu >= cpu and has_memory >= memory:
            if picked < 0 or has_cpu < books.host[picked, HOST_CPU]:
                picked = host
            elif has_cpu == books.host[picked, HOST_CPU] and has_memory < books.host[picked, HOST_MEMORY]:
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


def near_full(books: Books) -> bool:
    """Whether one more decision might need more rows than there are."""
    ways = (books.count[0, COUNT_LIVE] + 2) * books.idle.shape[1]
    if books.count[0, COUNT_VALUES] + ways > books.value.shape[0]:
        return True
    return books.count[0, COUNT_SPOTS] + 2 > books.spot_group.shape[1]


def place(longs: Longs, ints: Ints, reals: Reals, places: Longs, shape: int, devices: Longs) -> int:
    """Places one request: the host, NO_ROOM, or FULL where the arrays must grow first. `devices` gets the indices."""
    books = open_books(longs, ints, reals, places)
    if near_full(books):
        return FULL
    _, group, way = choose(books, shape)
    if group < 0:
        return NO_ROOM
    host = pick_host(books, group, shape)
    pick_devices(books, host, shape, way, devices)
    take(books, host, shape, devices, 1)
    return host


def change(
    longs: Longs, ints: Ints, reals: Reals, places: Longs, host: int, shape: int, devices: Longs, by: int
) -> int:
    """Takes or gives back what is known to be free or held; FULL where the arrays must grow first."""
    books = open_books(longs, ints, reals, places)
    if near_full(books):
        return FULL
    take(books, host, shape, devices, by)
    return 0


def load(longs: Longs, ints: Ints, reals: Reals, places: Longs) -> None:
    """Builds groups and totals from the hosts as they are; all else must be fresh."""
    books = open_books(longs, ints, reals, places)
    for host in range(books.host.shape[0]):
        join(books, host)
        count_host(books, host, 1)


def survey(longs: Longs, ints: Ints, reals: Reals, places: Longs, shape: int, found: Longs) -> int:
    """Every way to place a shape, its cost not cut short: rows of group, way, host, fill, kind, slot, opening; FULL."""
    books = open_books(longs, ints, reals, places)
    if near_full(books):
        return FULL
    set_prices(books, shape)
    demand = books.need[shape, DEMAND]
    streams = books.count[0, COUNT_STREAMS]
    scale = books.count[0, COUNT_GRAIN] // streams
    width = books.idle.shape[1]
    rows = 0
    for index in range(books.count[0, COUNT_LIVE]):
        group = books.live[0, index]
        if not has_room(books, group, shape):
            continue
        if books.cell[group, 2 * demand * width] == -1:
            find_ways(books, group, demand)
        kind = books.group[group, GROUP_KIND]
        held = books.group[group, GROUP_VALUE]
        for way in range(width):
            value = books.cell[group, 2 * (demand * width + way)]
            if value < 0:
                break
            evaluate(books, value, MOST)
            lost = books.value[value, WASTE] - books.value[held, WASTE]
            lost += streams * (books.cell[group, 2 * (demand * width + way) + 1] - books.group[group, GROUP_GAP])
            found[rows, 0], found[rows, 1], found[rows, 2] = group, way, pick_host(books, group, shape)
            found[rows, 3] = lost * scale
            found[rows, 4] = books.kind_price[0, kind] if books.demand[demand, DEVICES] > 0 else 0
            found[rows, 5] = slot_cost(books, kind, held, value)
            found[rows, 6] = open_cost(books, group)
            rows += 1
    return rows
