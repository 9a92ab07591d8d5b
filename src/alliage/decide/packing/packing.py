"""Packing: one request -> a host and its devices, at the least cost."""

from collections.abc import Iterable, Sequence

import numpy as np

from alliage.decide.packing import kernels
from alliage.decide.packing.compiled import compiled
from alliage.decide.packing.layout import Arenas, Books, lay_out
from alliage.decide.packing.shapes import Host, Placed, Shape, Typical
from alliage.decide.packing.tables import Tables, Weights, build_tables

GRAINS = 1024


class Packing:
    def __init__(self, hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], *, held: Iterable[Placed] = (), weights: Weights | None = None, compile: bool = True) -> None:
        self._weights = weights or Weights()
        self._hosts, self._shapes = tuple(hosts), tuple(shapes)
        self._tables = build_tables(hosts, shapes, typical, self._weights)
        self._kernels = compiled() if compile else kernels
        width = max([host.devices for host in hosts], default=0) or 1
        self._out = np.zeros(width, np.int64)
        self._books = fresh_books(self._hosts, self._tables, self._weights, 1 << 17)
        self._arenas = lay_out(self._books)
        self._kernels.load(*self._arenas)

    def place(self, shape: int) -> Placed | None:
        host = self._kernels.place(*self._arenas, shape, self._out)
        if host >= 0:
            return Placed(shape, host, tuple(self._out[: self._shapes[shape].devices].tolist()))
        if host == kernels.NO_ROOM:
            return None
        raise MemoryError

    def remove(self, placed: Placed) -> None:
        devices = np.array(placed.devices, np.int64)
        assert self._kernels.change(*self._arenas, placed.host, placed.shape, devices, -1) == 0


def fresh_books(hosts: Sequence[Host], tables: Tables, weights: Weights, values: int) -> Books:
    """Books in which every host is empty and nothing is known yet."""
    def longs(rows: int, columns: int):
        return np.zeros((rows, columns), np.int64)
    def unknown(rows: int, columns: int):
        return np.full((rows, columns), -1, np.int32)
    count, kinds, classes = len(hosts), len(tables.kinds), len(tables.classes)
    width = max([host.devices for host in hosts], default=0) or 1
    host = longs(count, 7)
    for index, one in enumerate(hosts):
        host[index, kernels.HOST_CPU], host[index, kernels.HOST_MEMORY] = one.cpu_milli, one.memory_mib
        host[index, kernels.HOST_TYPE] = tables.type_of[index]
    idle = np.zeros((count, width), np.int32)
    for index, one in enumerate(hosts):
        idle[index, : one.devices] = kernels.WHOLE
    counters = longs(1, 8)
    counters[0, kernels.COUNT_GRAIN] = GRAINS * weights.streams
    counters[0, kernels.COUNT_CELL] = tables.cell_milli
    counters[0, kernels.COUNT_STREAMS] = weights.streams
    live = longs(1, count + 2)
    live[0] = np.arange(count + 2)
    shared = {name: getattr(tables, name) for name in Books._fields if name in Tables._fields and getattr(tables, name).ndim == 2}
    table = 2
    while table < 2 * values:
        table *= 2
    return Books(
        **shared,
        value=longs(values, 3), group=longs(count + 2, 15), live=live, host=host, kind_idle=longs(1, kinds),
        slots_of=longs(kinds, classes), opens=longs(1, len(tables.types)), count=counters,
        candidate=longs((count + 2) * width, 3), slot_price=longs(kinds, classes), kind_price=longs(1, kinds),
        scratch=longs(2, 3 + width), value_key=unknown(values, 3 + width), value_slots=unknown(values, classes),
        value_table=unknown(1, table), spot_key=unknown(values, 3 + width), spot_group=unknown(1, values),
        spot_table=unknown(1, table), cell=unknown(count + 2, 2 * len(tables.demand) * width), idle=idle,
        worth=tables.worth.reshape(1, -1), mask_worth=tables.mask_worth.reshape(1, -1), demand_price=np.zeros((1, kinds)),
        weight=np.array([[weights.kind, weights.slot, weights.opening]]),
    )
