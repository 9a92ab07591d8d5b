"""What kinds, slots and empty hosts cost now, in grains."""

from alliage.decide.packing.layout import (
    COUNT_GRAIN,
    COUNT_IDLE,
    DEMAND,
    MILLI_ALL,
    SLOT_PRICE_MAX,
    Books,
    Ints,
    Reals,
)
from alliage.decide.packing.shapes import WHOLE


def slot_cost(slot_price: Reals, value_slots: Ints, kind: int, before: int, after: int) -> int:
    """Grains for the slots that a host loses between two fill values. Whole numbers under 2^53: exact in any order."""
    cost = 0.0
    for which in range(value_slots.shape[1]):
        cost += slot_price[kind, which] * (value_slots[before, which] - value_slots[after, which])
    return int(cost)


def open_cost(books: Books, empty: int) -> int:
    """Grains for the first request on a host of that type: more for a large one, the fewer are empty and as large."""
    levels = books.chance.shape[1] - 1
    kind_of_host, held = empty // levels, empty % levels
    eighths = books.types[kind_of_host, 1] / 8.0
    lost = books.chance[0, held] - books.chance[0, held + 1]
    share = eighths * lost / max(books.opens[0, kind_of_host], 1)
    return int(books.weight[0, 2] * share * WHOLE * books.count[0, COUNT_GRAIN])


def set_prices(books: Books, shape: int) -> None:
    """What a kind and a slot of each class cost now, in grains."""
    kinds = books.accept.shape[1]
    idle = books.count[0, COUNT_IDLE]
    grain = books.count[0, COUNT_GRAIN]
    for kind in range(kinds):
        books.demand_price[0, kind] = 0.0
        for which in range(books.classes.shape[0]):
            books.slot_price[kind, which] = 0.0
    for mask in range(books.accept.shape[0]):
        if books.mask_worth[0, mask] > 0.0:
            room = 0
            for kind in range(kinds):
                room += books.accept[mask, kind] * books.kind_idle[0, kind]
            price = books.mask_worth[0, mask] * idle / max(room, 1)
            for kind in range(kinds):
                if books.accept[mask, kind] > 0:
                    books.demand_price[0, kind] += price
    for empty in range(books.open_price.shape[1]):
        books.open_price[0, empty] = open_cost(books, empty)
    milli = books.demand[books.need[shape, DEMAND], MILLI_ALL]
    for kind in range(kinds):
        books.kind_price[0, kind] = int(books.weight[0, 0] * milli * books.demand_price[0, kind] * grain)
    for index in range(books.typical.shape[0]):
        which, mask = books.typical[index, 0], books.typical[index, 1]
        slots = 0
        for kind in range(kinds):
            slots += books.accept[mask, kind] * books.slots_of[kind, which]
        cost = min(int(books.weight[0, 1] * books.slot_worth[0, index] * idle / max(slots, 1) * grain), SLOT_PRICE_MAX)
        for kind in range(kinds):
            books.slot_price[kind, which] += books.accept[mask, kind] * cost
