"""What is called from outside the kernels: each opens the arenas and does one thing."""

from alliage.decide.packing.kernels.choosing import choose
from alliage.decide.packing.kernels.filling import evaluate
from alliage.decide.packing.kernels.moving import count_host, join, may_take, pick_devices, pick_host, take
from alliage.decide.packing.kernels.opening import open_books
from alliage.decide.packing.kernels.prices import set_prices, slot_cost
from alliage.decide.packing.kernels.ways import before, find_ways, has_room
from alliage.decide.packing.layout import (
    COUNT_GRAIN,
    COUNT_LIVE,
    COUNT_SPOTS,
    COUNT_STREAMS,
    COUNT_TOP,
    COUNT_VALUES,
    DEMAND,
    DEVICES,
    FULL,
    GROUP_COUNT,
    GROUP_GAP,
    GROUP_KIND,
    GROUP_TYPE,
    GROUP_VALUE,
    MOST,
    NO_ROOM,
    UNKNOWN,
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
    """Every way to place a shape, no cost cut short, the best first: group, way, host, fill, kind, slot, opening."""
    books = open_books(longs, ints, reals, places)
    if near_full(books):
        return FULL
    set_prices(books, shape)
    demand = books.need[shape, DEMAND]
    rows, best = 0, MOST
    for group in range(books.count[0, COUNT_TOP]):
        if books.group[group, GROUP_COUNT] == 0 or not has_room(
            books.group, books.host, books.need, books.demand, books.accept, group, shape
        ):
            continue
        if books.cell[demand, 2 * group * books.idle.shape[1]] == UNKNOWN:
            find_ways(books, group, demand)
        for way in range(books.idle.shape[1]):
            if books.cell[demand, 2 * (group * books.idle.shape[1] + way)] < 0:
                break
            cost = tell_cost(books, shape, group, way, found[rows])
            if cost < best or (cost == best and before(books, group, way, found[0, 0], found[0, 1])):
                best = cost
                for column in range(found.shape[1]):
                    found[0, column], found[rows, column] = found[rows, column], found[0, column]
            rows += 1
    return rows


def tell_cost(books: Books, shape: int, group: int, way: int, row: Longs) -> int:
    """The terms of one way into a row of `survey`; their sum."""
    demand = books.need[shape, DEMAND]
    streams = books.count[0, COUNT_STREAMS]
    held = books.group[group, GROUP_VALUE]
    at = 2 * (group * books.idle.shape[1] + way)
    value = books.cell[demand, at]
    evaluate(books, value, MOST)
    lost = books.value[value, WASTE] - books.value[held, WASTE]
    lost += streams * (books.cell[demand, at + 1] - books.group[group, GROUP_GAP])
    kind = books.group[group, GROUP_KIND]
    row[0], row[1], row[2] = group, way, pick_host(books, group, shape)
    row[3] = lost * (books.count[0, COUNT_GRAIN] // streams)
    row[4] = books.kind_price[0, kind] if books.demand[demand, DEVICES] > 0 else 0
    row[5] = slot_cost(books.slot_price, books.value_slots, kind, held, value)
    empty = books.group[group, GROUP_TYPE]
    row[6] = books.open_price[0, empty] if empty >= 0 else 0
    return row[3] + row[4] + row[5] + row[6]
