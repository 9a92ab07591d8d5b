"""Fill values by what they are of: idle rounded down to what typical shapes can fill, cpu cut at what they can use."""

from alliage.decide.packing.layout import (
    COUNT,
    COUNT_CELL,
    COUNT_STREAMS,
    COUNT_VALUES,
    DONE,
    FIRST,
    KEY_CPU,
    KIND,
    LEAST,
    WASTE,
    Books,
    Ints,
    Longs,
)


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
    most = total
    if books.densest[kind, 1] > 0:
        most = books.densest[kind, 0] * cpu // books.densest[kind, 1] + 1
    books.value[value, WASTE] = 0
    books.value[value, DONE] = 0
    books.value[value, LEAST] = max(0, total - most) * streams
    for which in range(books.classes.shape[0]):
        fits = 0
        if books.served[kind, which] > 0:
            fits = fitting_slots(books.classes, which, cpu, key[FIRST:], devices)
        books.value_slots[value, which] = fits
    return value


def waste_at_least(known: Longs, value: int) -> int:
    """What the waste of a fill value cannot be less than, as far as its streams are known."""
    return max(known[value, WASTE], known[value, LEAST])


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
