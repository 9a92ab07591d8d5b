"""Hosts, shapes and typical shapes as the arrays that the kernels read: all that does not change while packing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from alliage.decide.packing.layout import Ints, Longs, Reals
from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.decide.packing.streams import draw_streams

WHOLE = 1000
NOTHING_FITS = 1 << 61


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the rule weighs, in devices: a kind, a slot, an untouched host; streams and their length; cells of cpu."""

    kind: float = 0.7
    slot: float = 0.03
    opening: float = 2.0
    bare: float = 0.0
    streams: int = 32
    stream_shapes: int = 80
    cell_milli: int = 0  # 0: chosen from the typical shapes


class Demand(NamedTuple):
    """A shape without memory and kinds: what matters to how full a host is."""

    cpu_milli: int
    device_milli: int
    devices: int


class Tables(NamedTuple):
    """See `layout.Books` for the arrays."""

    kinds: tuple[str, ...]
    demand: Longs
    need: Longs
    accept: Longs
    typical: Longs
    classes: Longs
    served: Longs
    rounded: Longs
    appetite: Longs
    least: Longs
    reach: Longs
    types: Longs
    type_of: tuple[int, ...]
    stream: Ints
    worth: Reals
    mask_worth: Reals
    cell_milli: int


def demand_of(shape: Shape) -> Demand:
    """What a shape takes: several devices are taken whole."""
    milli = 0 if shape.devices == 0 else shape.device_milli if shape.devices == 1 else WHOLE
    return Demand(shape.cpu_milli, milli, shape.devices)


def cell_of(typical: Sequence[Typical]) -> int:
    """The cell that cpu is rounded down to: a quarter of the mean cpu of shapes with devices, as 1, 2 or 5 x 10^n."""
    wanting = [one for one in typical if one.shape.devices > 0]
    total = sum(one.share for one in wanting)
    quarter = sum(one.share * one.shape.cpu_milli for one in wanting) / total / 4 if total > 0 else 1.0
    cell = 1
    for step in range(30):
        wider = (1, 2, 5)[step % 3] * 10 ** (step // 3)
        if wider <= quarter:
            cell = wider
    return cell


def build_tables(
    hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], weights: Weights
) -> Tables:
    """The arrays; typical shapes are put in an order of their own, so that theirs decides nothing."""
    kinds = tuple(sorted({host.kind for host in hosts}))
    wanting = sorted((one for one in typical if one.shape.devices > 0 and one.share > 0), key=_popularity)
    masks: dict[frozenset[str], int] = {}
    demands: dict[Demand, int] = {}
    classes: dict[Demand, int] = {}
    need = [
        (demands.setdefault(demand_of(shape), len(demands)), shape.memory_mib, masks.setdefault(shape.kinds, len(masks)))
        for shape in shapes
    ]
    asked = [
        (
            classes.setdefault(demand_of(one.shape), len(classes)),
            masks.setdefault(one.shape.kinds, len(masks)),
        )
        for one in wanting
    ]
    accept = _matrix([[not mask or kind in mask for kind in kinds] for mask in masks], len(kinds))
    worth = np.array([one.share * _milli_all(demand_of(one.shape)) for one in wanting], np.float64)
    worth = worth / worth.sum() if len(worth) else worth
    mask_worth = np.zeros(len(masks))
    for (_, mask), one in zip(asked, worth, strict=True):
        mask_worth[mask] += one
    served = np.zeros((len(kinds), len(classes)), np.int64)
    for which, mask in asked:
        served[:, which] |= accept[mask]
    types = sorted({_type_of(host, kinds) for host in hosts})
    place = {one: index for index, one in enumerate(types)}
    cell = weights.cell_milli or cell_of(typical)
    cells = max((host.cpu_milli for host in hosts), default=0) // cell + 1
    by_kind = [[which for which in range(len(classes)) if served[kind, which]] for kind in range(len(kinds))]
    order = list(classes)
    limits = [_limits([order[which] for which in some], cells, cell) for some in by_kind]
    bare = sorted((one for one in typical if one.shape.devices == 0 and one.share > 0), key=_popularity) if weights.bare else []
    if bare:
        limits = [(one[0], [1 << 40] * (WHOLE + 1), one[2], one[3]) for one in limits]
    picks = draw_streams([one.share for one in wanting] + [one.share * weights.bare for one in bare], weights.streams, weights.stream_shapes)
    return Tables(
        kinds=kinds,
        demand=_matrix([(*one, _milli_all(one)) for one in demands], 4),
        need=_matrix(need, 3),
        accept=accept,
        typical=_matrix(asked, 2),
        classes=_matrix(order, 3),
        served=served,
        rounded=_matrix([one[0] for one in limits], WHOLE + 1),
        appetite=_matrix([one[1] for one in limits], WHOLE + 1),
        least=_matrix([one[2] for one in limits], WHOLE + 1),
        reach=_matrix([one[3] for one in limits], cells),
        types=_matrix(types, 4),
        type_of=tuple(place[_type_of(host, kinds)] for host in hosts),
        stream=_streams(picks, asked + [(len(order) + i, 0) for i in range(len(bare))], accept, order + [demand_of(one.shape) for one in bare], len(kinds)),
        worth=worth,
        mask_worth=mask_worth,
        cell_milli=cell,
    )


def _popularity(one: Typical) -> tuple[float, int, int, int, list[str]]:
    shape = one.shape
    return -one.share, shape.cpu_milli, shape.device_milli, shape.devices, sorted(shape.kinds)


def _milli_all(demand: Demand) -> int:
    return demand.device_milli * demand.devices


def _type_of(host: Host, kinds: tuple[str, ...]) -> tuple[int, int, int, int]:
    return kinds.index(host.kind), host.devices, host.cpu_milli, host.memory_mib


def _matrix(rows: Sequence[Sequence[int]], columns: int) -> Longs:
    return np.array(rows, np.int64).reshape(len(rows), columns)


def _limits(classes: Sequence[Demand], cells: int, cell: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """For idle milli 0 to 1000: what can be filled, the most cpu in it, the least cpu; for cpu cells: milli."""
    rounded, appetite = [0] * (WHOLE + 1), [0] * (WHOLE + 1)
    least = [NOTHING_FITS] * (WHOLE + 1)
    for idle in range(1, WHOLE + 1):
        rounded[idle] = max([one.device_milli + rounded[idle - one.device_milli] for one in _in(classes, idle)], default=0)
        appetite[idle] = max(
            [-(-one.cpu_milli // one.devices) + appetite[idle - one.device_milli] for one in _in(classes, idle)],
            default=0,
        )
        least[idle] = min([one.cpu_milli for one in _in(classes, idle)], default=NOTHING_FITS)
    reach = [0] * cells
    for index in range(cells):
        room = index * cell
        reach[index] = max(
            [_milli_all(one) * max(1, room // max(one.cpu_milli, 1)) if one.cpu_milli else 1 << 40 for one in classes if one.cpu_milli <= room],
            default=0,
        )
    return rounded, appetite, least, reach


def _in(classes: Sequence[Demand], idle: int) -> list[Demand]:
    return [one for one in classes if 0 < one.device_milli <= idle]


def _streams(picks: Longs, asked: Sequence[tuple[int, int]], accept: Longs, classes: Sequence[Demand], kinds: int) -> Ints:
    """The streams without what a kind is not accepted by, a row a (kind, stream)."""
    streams, length = picks.shape
    table = np.full((kinds * streams, 3 * (length + 1)), -1, np.int32)
    for kind in range(kinds):
        for stream in range(streams):
            at = 0
            for one in picks[stream]:
                which, mask = asked[one]
                if classes[which].devices == 0 or accept[mask, kind]:
                    demand = classes[which]
                    table[kind * streams + stream, at : at + 3] = demand
                    at += 3
    return table
