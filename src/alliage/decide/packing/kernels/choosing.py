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
    COUNT_STREAMS,
    COUNT_TOP,
    DEMAND,
    DEVICES,
    DONE,
    GROUP_COUNT,
    GROUP_GAP,
    GROUP_KIND,
    GROUP_TYPE,
    GROUP_VALUE,
    MOST,
    UNKNOWN,
    WASTE,
    Books,
)


def consider(books: Books, shape: int) -> tuple[int, int]:
    """Every way with what it costs, waste and slots aside, into `candidate`; how many, and the cheapest so far."""
    demand = books.need[shape, DEMAND]
    wants = books.demand[demand, DEVICES] > 0
    streams = books.count[0, COUNT_STREAMS]
    scale = books.count[0, COUNT_GRAIN] // streams
    width = books.idle.shape[1]
    group, cell, candidate, known = books.group, books.cell, books.candidate, books.value
    count, least, cheapest = 0, MOST, -1
    for at in range(books.count[0, COUNT_TOP]):  # in the order of memory; few of them are free
        if group[at, GROUP_COUNT] == 0 or not has_room(
            group, books.host, books.need, books.demand, books.accept, at, shape
        ):
            continue
        if cell[demand, 2 * at * width] == UNKNOWN:
            find_ways(books, at, demand)
        held, empty = group[at, GROUP_VALUE], group[at, GROUP_TYPE]
        fixed = -scale * (known[held, WASTE] + streams * group[at, GROUP_GAP])
        if empty >= 0:
            fixed += books.open_price[0, empty]
        if wants:
            fixed += books.kind_price[0, group[at, GROUP_KIND]]
        for way in range(width):
            value = cell[demand, 2 * (at * width + way)]
            if value < 0:
                break
            cost = fixed + scale * streams * cell[demand, 2 * (at * width + way) + 1]
            candidate[count, 0], candidate[count, 1] = cost, at
            candidate[count, 2], candidate[count, 3] = way, value
            cost += scale * waste_at_least(known, value)
            if known[value, DONE] < streams:
                cost += MOST // 2  # one that is known to the end is the better start
            if cost < least:
                least, cheapest = cost, count
            count += 1
    return count, cheapest


def add_slots(books: Books, which: int) -> None:
    """Adds to a candidate's cost what its slots cost."""
    group, value = books.candidate[which, 1], books.candidate[which, 3]
    kind, held = books.group[group, GROUP_KIND], books.group[group, GROUP_VALUE]
    books.candidate[which, 0] += slot_cost(books.slot_price, books.value_slots, kind, held, value)


def settle(books: Books, which: int, most: int) -> int:
    """A candidate's cost with its waste, that followed up as far as the cost can still be `most`."""
    cost, value = books.candidate[which, 0], books.candidate[which, 3]
    scale = books.count[0, COUNT_GRAIN] // books.count[0, COUNT_STREAMS]
    evaluate(books, value, (most - cost) // scale)
    return cost + scale * waste_at_least(books.value, value)


def choose(books: Books, shape: int) -> tuple[int, int, int]:
    """The cheapest way of all: cost, group (-1 where nothing has room), way."""
    set_prices(books, shape)
    candidate, known = books.candidate, books.value
    scale = books.count[0, COUNT_GRAIN] // books.count[0, COUNT_STREAMS]
    count, first = consider(books, shape)
    if count == 0:
        return MOST, -1, -1
    add_slots(books, first)
    best, best_group, best_way = settle(books, first, MOST), candidate[first, 1], candidate[first, 2]
    waiting = 0
    for index in range(count):
        value = candidate[index, 3]
        waste = scale * waste_at_least(known, value)
        if index == first or candidate[index, 0] + waste > best:
            continue
        add_slots(books, index)
        cost, group, way = candidate[index, 0] + waste, candidate[index, 1], candidate[index, 2]
        if cost > best:
            continue
        if known[value, DONE] < books.count[0, COUNT_STREAMS]:
            for column in range(4):
                candidate[waiting, column] = candidate[index, column]
            waiting += 1
        elif cost < best or before(books, group, way, best_group, best_way):
            best, best_group, best_way = cost, group, way
    return follow_up(books, waiting, best, best_group, best_way)


def follow_up(books: Books, waiting: int, best: int, best_group: int, best_way: int) -> tuple[int, int, int]:
    """The cheapest, after those that are known from below only: each as far as it can still win, the least first."""
    candidate = books.candidate
    scale = books.count[0, COUNT_GRAIN] // books.count[0, COUNT_STREAMS]
    while waiting > 0:
        least, bound = 0, MOST
        for index in range(waiting):
            cost = candidate[index, 0] + scale * waste_at_least(books.value, candidate[index, 3])
            if cost < bound:
                least, bound = index, cost
        if bound > best:
            break
        group, way = candidate[least, 1], candidate[least, 2]
        cost = settle(books, least, best)
        waiting -= 1
        for column in range(4):
            candidate[least, column] = candidate[waiting, column]
        if cost < best or (cost == best and before(books, group, way, best_group, best_way)):
            best, best_group, best_way = cost, group, way
    return best, best_group, best_way
