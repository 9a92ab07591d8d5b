"""The cheapest way of all.

A cost that is not yet known exactly is known from below, and followed up only while it could still be the least: the
answer is that of knowing them all.
"""

from alliage.decide.packing.kernels.filling import evaluate
from alliage.decide.packing.kernels.prices import set_prices, slot_cost
from alliage.decide.packing.kernels.values import waste_at_least
from alliage.decide.packing.kernels.ways import before, find_ways, has_room
from alliage.decide.packing.layout import (
    COUNT_GRAIN,
    COUNT_LIVE,
    COUNT_STREAMS,
    DEMAND,
    DEVICES,
    DONE,
    GROUP_GAP,
    GROUP_KIND,
    GROUP_TYPE,
    GROUP_VALUE,
    LEAST,
    MOST,
    UNKNOWN,
    WASTE,
    Books,
)


def consider(books: Books, shape: int) -> tuple[int, int, int, int]:
    """Scans the groups. The cheapest way that is known exactly (cost, group, way), and how many might be cheaper."""
    demand = books.need[shape, DEMAND]
    wants = books.demand[demand, DEVICES] > 0
    streams = books.count[0, COUNT_STREAMS]
    scale = books.count[0, COUNT_GRAIN] // streams
    width = books.idle.shape[1]
    group, cell, candidate, value_of_way = books.group, books.cell, books.candidate, books.value  # for speed
    best, best_group, best_way, waiting = MOST, -1, 0, 0
    for index in range(books.count[0, COUNT_LIVE]):
        at = books.live[0, index]
        if not has_room(group, books.host, books.need, books.demand, books.accept, at, shape):
            continue
        if cell[at, 2 * demand * width] == UNKNOWN:
            find_ways(books, at, demand)
        kind, held, empty = group[at, GROUP_KIND], group[at, GROUP_VALUE], group[at, GROUP_TYPE]
        fixed = -scale * (value_of_way[held, WASTE] + streams * group[at, GROUP_GAP])
        if empty >= 0:
            fixed += books.open_price[0, empty]
        if wants:
            fixed += books.kind_price[0, kind]
        for way in range(width):
            value = cell[at, 2 * (demand * width + way)]
            if value < 0:
                break
            least = max(value_of_way[value, WASTE], value_of_way[value, LEAST])
            cost = fixed + scale * (streams * cell[at, 2 * (demand * width + way) + 1] + least)
            if cost > best:
                continue
            cost += slot_cost(books.slot_price, books.value_slots, kind, held, value)
            if cost > best:
                continue
            if value_of_way[value, DONE] < streams:
                candidate[waiting, 0], candidate[waiting, 1], candidate[waiting, 2] = cost, at, way
                waiting += 1
            elif cost < best or before(books, at, way, best_group, best_way):
                best, best_group, best_way = cost, at, way
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
