"""What streams of typical shapes fill of a host: the fill value, and its waste, evaluated as far as it is needed."""

from alliage.decide.packing.layout import (
    COUNT,
    COUNT_STREAMS,
    DONE,
    FIRST,
    KEY_CPU,
    KIND,
    WASTE,
    Books,
    Ints,
    Longs,
)
from alliage.decide.packing.shapes import WHOLE


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
