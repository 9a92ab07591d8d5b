"""What is called from outside the kernels: each opens the arenas and does one thing."""

from alliage.decide.packing.kernels.choosing import choose
from alliage.decide.packing.kernels.filling import evaluate
from alliage.decide.packing.kernels.moving import count_host, join, pick_devices, pick_host, take
from alliage.decide.packing.kernels.opening import open_books
from alliage.decide.packing.kernels.prices import open_cost, set_prices, slot_cost
from alliage.decide.packing.kernels.ways import find_ways, has_room
from alliage.decide.packing.layout import (
    COUNT_GRAIN,
    COUNT_LIVE,
    COUNT_SPOTS,
    COUNT_STREAMS,
    COUNT_VALUES,
    DEMAND,
    DEVICES,
    FULL,
    GROUP_GAP,
    GROUP_KIND,
    GROUP_VALUE,
    MOST,
    NO_ROOM,
    WASTE,
    Books,
    Ints,
    Longs,
    Reals,
)


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
    """Takes (`by` 1) or gives back (-1); NO_ROOM where it is not free or not held, FULL where the arrays must grow."""
    books = open_books(longs, ints, reals, places)
    if near_full(books):
        return FULL
    if not may_take(books, host, shape, devices, by):
        return NO_ROOM
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
