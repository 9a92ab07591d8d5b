"""The arrays that the kernels work on, and their places in three arenas.

What a compiled call costs grows with the number of arrays given to it, so a call gets three and the kernel opens views.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int32]
Longs: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.float64]


CPU, MILLI, DEVICES, MILLI_ALL = range(4)
"""Columns of `demand`; the first three those of a class."""
DEMAND, MEMORY, MASK = range(3)
"""Columns of `need`."""
KIND, KEY_CPU, COUNT, FIRST = range(4)
"""Columns of a key; the idle milli of its devices begin at FIRST."""
WASTE, DONE, LEAST = range(3)
"""Columns of `value`."""
(
    GROUP_SPOT, GROUP_VALUE, GROUP_GAP, GROUP_TYPE, GROUP_COUNT, GROUP_HEAD, GROUP_KIND, GROUP_LARGEST, GROUP_WHOLE,
    GROUP_IDLE, GROUP_POSITION, GROUP_CPU_MAX, GROUP_CPU_MIN, GROUP_MEMORY_MAX, GROUP_MEMORY_MIN,
) = range(15)  # fmt: skip
HOST_GROUP, HOST_NEXT, HOST_BEFORE, HOST_CPU, HOST_MEMORY, HOST_TYPE, HOST_HELD = range(7)
COUNT_VALUES, COUNT_SPOTS, COUNT_LIVE, COUNT_IDLE, COUNT_GRAIN, COUNT_CELL, COUNT_STREAMS, COUNT_TOP = range(8)
NO_ROOM, FULL = -1, -2
UNKNOWN, END = -1, -2  # of a cell: not looked at yet, no more ways
MOST = 1 << 61
SLOT_PRICE_MAX = 1 << 36  # five hundred devices or more, by the number of streams


class Books(NamedTuple):
    """Everything one packing knows.

    Sizes: D demands, S shapes, A masks, J makes (see `makes`; "kind" below), M typical, C classes, K streams of L, T host types, H hosts of at most G devices, R groups, V fill values, P spots (exact states). All in milli and MiB.
    """

    demand: Longs  # D x 4: cpu, milli a device, devices, milli in all
    need: Longs  # S x 3: demand, memory, mask
    accept: Longs  # A x J: 1 where the mask accepts the kind
    typical: Longs  # M x 2: class, mask
    classes: Longs  # C x 3: cpu, milli a device, devices; the demands of typical shapes that want devices
    served: Longs  # J x C: 1 where some typical shape of that class accepts the kind
    rounded: Longs  # J x 1001: idle milli of a device -> the most of it that typical shapes can fill
    appetite: Longs  # J x 1001: idle milli -> the most cpu that typical shapes in it can use
    least: Longs  # J x 1001: idle milli -> the least cpu of a class that fits in it
    densest: Longs  # J x 2: milli and cpu of the typical shape that fills most for its cpu
    types: Longs  # T x 4: kind, devices, cpu, memory of a host when empty
    value: Longs  # V x 3: waste so far, streams done, least possible waste (milli, over all streams)
    group: Longs  # R x 15, see GROUP_*
    live: Longs  # 1 x R: groups in use first
    host: Longs  # H x 7, see HOST_*
    kind_idle: Longs  # 1 x J: idle milli
    slots_of: Longs  # J x C: slots over all hosts
    opens: Longs  # 1 x T: chances, over the hosts that are at least as large, that one is empty
    chance: Longs  # 1 x (levels + 1): by requests held, in 1024ths, that a host is empty when it is wanted; ends with 0
    count: Longs  # type: ignore[assignment]  # 1 x 8, see COUNT_*
    candidate: Longs  # (R x G) x 4: cost but for its waste, group, way, fill value
    open_price: Longs  # 1 x (T x levels): grains for one more request on a host that holds few
    kind_price: Longs  # 1 x J: grains for the shape at hand
    scratch: Longs  # 2 x (3 + G)
    stream: Ints  # (J x K) x (3 x (L + 1)): cpu, milli, devices; cpu -1 ends it
    value_key: Ints  # V x (3 + G): kind, cpu, devices, rounded idle, ascending
    value_slots: Ints  # V x C: how many of a class fit
    value_table: Ints  # 1 x hash size
    spot_key: Ints  # P x (3 + G): kind and host type where empty, cpu cell, devices, idle, ascending
    spot_group: Ints  # 1 x P: the group of it, -1 for none
    spot_table: Ints  # 1 x hash size
    cell: Ints  # D x (R x G x 2): fill value and gap after each way to place a demand; -1 not known, -2 end
    idle: Ints  # H x G: idle milli of each device
    slot_worth: Reals  # 1 x M: share of the demand for devices that wants a slot as large at least
    mask_worth: Reals  # 1 x A
    slot_price: Reals  # J x C: grains a slot, whole numbers
    demand_price: Reals  # 1 x J: demand that may use a kind over the room open to it
    weight: Reals  # 1 x 3: kind, slot, opening; in devices


LONGS = Books._fields.index("scratch") + 1
INTS = Books._fields.index("idle") + 1


class Arenas(NamedTuple):
    """Three arrays and where in them each array of `Books` starts, with its rows and columns."""

    longs: Longs
    ints: Ints
    reals: Reals
    places: Longs  # fields x 3: start, rows, columns


def lay_out(books: Books) -> Arenas:
    """Copies the arrays into arenas; every array has two axes."""
    places = np.zeros((len(books), 3), np.int64)
    parts: tuple[list[NDArray[np.generic]], ...] = ([], [], [])
    ends = [0, 0, 0]
    arrays: tuple[NDArray[Any], ...] = tuple(books)  # one field is named as a method of tuples
    for index, array in enumerate(arrays):
        arena = 0 if index < LONGS else 1 if index < INTS else 2
        places[index] = ends[arena], *array.shape
        parts[arena].append(array.ravel())
        ends[arena] += array.size
    longs, ints, reals = (np.concatenate(part) for part in parts)
    return Arenas(longs.astype(np.int64), ints.astype(np.int32), reals.astype(np.float64), places)
