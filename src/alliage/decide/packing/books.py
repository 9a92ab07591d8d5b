"""Fresh books for hosts as they are: everything that is learnt while packing is empty."""

from typing import NamedTuple

import numpy as np

from alliage.decide.packing.layout import (
    COUNT_CELL,
    COUNT_GRAIN,
    COUNT_STREAMS,
    HOST_CPU,
    HOST_MEMORY,
    HOST_TYPE,
    Books,
    Ints,
    Longs,
)
from alliage.decide.packing.shapes import WHOLE
from alliage.decide.packing.tables import Tables
from alliage.decide.packing.weights import Weights

GRAINS_A_MILLI_AND_STREAM = 1024
VALUES_LEAST, VALUES_MOST = 1 << 10, 1 << 17


class Held(NamedTuple):
    """What hosts hold now: the rows of `Books.host` and `Books.idle`."""

    host: Longs
    idle: Ints


def empty_hosts(tables: Tables) -> Held:
    """Hosts that hold nothing."""
    types = tables.types[list(tables.type_of)].reshape(len(tables.type_of), 4)
    host = np.zeros((len(types), 7), np.int64)
    host[:, HOST_CPU], host[:, HOST_MEMORY], host[:, HOST_TYPE] = types[:, 2], types[:, 3], tables.type_of
    idle = np.where(np.arange(tables.width)[None, :] < types[:, 1:2], WHOLE, 0)
    return Held(host, idle.astype(np.int32))


def values_for(tables: Tables) -> int:
    """How many fill values to have room for at first: a power of two."""
    return 1 << (max(VALUES_LEAST, min(64 * len(tables.type_of) * tables.width, VALUES_MOST // 2)) - 1).bit_length()


def values_most(tables: Tables) -> int:
    """How many fill values are kept at most before all are forgotten; some decisions' worth, whatever the fleet."""
    return max(VALUES_MOST, 1 << (16 * len(tables.type_of) * tables.width).bit_length())


def fresh_books(tables: Tables, held: Held, weights: Weights, values: int) -> Books:
    """The books, with room for so many fill values and spots."""
    hosts, width = held.idle.shape
    kinds, classes, groups = len(tables.makes), len(tables.classes), hosts + 2
    count = _zeros(1, 8)
    count[0, COUNT_GRAIN] = GRAINS_A_MILLI_AND_STREAM * weights.streams
    count[0, COUNT_CELL], count[0, COUNT_STREAMS] = tables.cell_milli, weights.streams
    return Books(
        demand=tables.demand,
        need=tables.need,
        accept=tables.accept,
        typical=tables.typical,
        classes=tables.classes,
        served=tables.served,
        rounded=tables.rounded,
        appetite=tables.appetite,
        least=tables.least,
        densest=tables.densest,
        types=tables.types,
        value=_zeros(values, 3),
        group=_zeros(groups, 15),
        live=np.arange(groups, dtype=np.int64).reshape(1, groups),
        host=held.host,
        kind_idle=_zeros(1, kinds),
        slots_of=_zeros(kinds, classes),
        opens=_zeros(1, len(tables.types)),
        chance=np.array([weights.chances()], np.int64),
        count=count,
        candidate=_zeros(groups * width, 4),
        open_price=_zeros(1, len(tables.types) * (len(weights.chances()) - 1)),
        kind_price=_zeros(1, kinds),
        scratch=_zeros(2, 3 + width),
        stream=tables.stream,
        value_key=_unknown(values, 3 + width),
        value_slots=_unknown(values, classes),
        value_table=_unknown(1, 2 * values),
        spot_key=_unknown(values, 3 + width),
        spot_group=_unknown(1, values),
        spot_table=_unknown(1, 2 * values),
        cell=_unknown(len(tables.demand), 2 * groups * width),
        idle=held.idle,
        slot_worth=tables.slot_worth.reshape(1, -1),
        mask_worth=tables.mask_worth.reshape(1, -1),
        slot_price=np.zeros((kinds, classes)),
        demand_price=np.zeros((1, kinds)),
        weight=np.array([[weights.kind, weights.slot, weights.opening]]),
    )


def _zeros(rows: int, columns: int) -> Longs:
    return np.zeros((rows, columns), np.int64)


def _unknown(rows: int, columns: int) -> Ints:
    return np.full((rows, columns), -1, np.int32)
