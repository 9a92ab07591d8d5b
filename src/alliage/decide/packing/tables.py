"""Hosts, shapes and typical shapes as the arrays that the kernels read: all that does not change while packing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alliage.decide.packing.layout import Ints, Longs, Reals
from alliage.decide.packing.limits import Demand, Limits, find_limits
from alliage.decide.packing.makes import Make, make_of, mask_of
from alliage.decide.packing.scarcity import bare_share, cell_of
from alliage.decide.packing.shapes import WHOLE, Host, Shape, Typical
from alliage.decide.packing.slots import slot_worths, unforeseen_gangs
from alliage.decide.packing.streams import draw_streams
from alliage.decide.packing.weights import Weights


class Tables(NamedTuple):
    """See `layout.Books` for the arrays."""

    makes: tuple[Make, ...]
    type_of: tuple[int, ...]
    """Of each host, its row in `types`."""
    width: int
    cell_milli: int
    demand: Longs
    need: Longs
    accept: Longs
    typical: Longs
    classes: Longs
    served: Longs
    rounded: Longs
    appetite: Longs
    least: Longs
    densest: Longs
    types: Longs
    stream: Ints
    slot_worth: Reals
    mask_worth: Reals


def demand_of(shape: Shape) -> Demand:
    """What a shape takes: several devices are taken whole."""
    milli = 0 if shape.devices == 0 else shape.device_milli if shape.devices == 1 else WHOLE
    return Demand(shape.cpu_milli, milli, shape.devices)


def in_order(typical: Sequence[Typical]) -> list[Typical]:
    """The most frequent first; the order in which they were told decides nothing."""
    return sorted((one for one in typical if one.share > 0), key=_frequency)


def build_tables(
    hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], weights: Weights
) -> Tables:
    """The arrays for these hosts, whatever they hold."""
    makes = tuple(sorted({make_of(host) for host in hosts}))
    told = in_order(typical)
    wanting = [one for one in told if one.shape.devices > 0]
    wanting += unforeseen_gangs(hosts, wanting, weights.unforeseen)
    able = {mask_of(one) for one in shapes} | {mask_of(one.shape) for one in wanting}
    masks = {mask: index for index, mask in enumerate(sorted(able, key=lambda mask: mask.order))}
    demands: dict[Demand, int] = {}
    classes: dict[Demand, int] = {}
    need = [(_at(demands, demand_of(one)), one.memory_mib, masks[mask_of(one)]) for one in shapes]
    asked = [(_at(classes, demand_of(one.shape)), masks[mask_of(one.shape)]) for one in wanting]
    accept = _matrix([[mask.takes(make) for make in makes] for mask in masks], len(makes))
    served = np.zeros((len(makes), len(classes)), np.int64)
    for which, mask in asked:
        served[:, which] |= accept[mask]
    worth, mask_worth = _worths(wanting, [mask for _, mask in asked], len(masks))
    types = sorted({_type_of(host, makes) for host in hosts})
    row = {one: index for index, one in enumerate(types)}
    cell = weights.cell_milli or cell_of(told, weights.cells_a_request)
    bare = bare_share(hosts, told)
    limits = _limits(list(classes), served, bare=bare > 0)
    return Tables(
        makes=makes,
        type_of=tuple(row[_type_of(host, makes)] for host in hosts),
        width=max([host.devices for host in hosts], default=0) or 1,
        cell_milli=cell,
        demand=_matrix([(*one, one.milli) for one in demands], 4),
        need=_matrix(need, 3),
        accept=accept,
        typical=_matrix(asked, 2),
        classes=_matrix(list(classes), 3),
        served=served,
        rounded=_matrix([one.rounded for one in limits], WHOLE + 1),
        appetite=_matrix([one.appetite for one in limits], WHOLE + 1),
        least=_matrix([one.least for one in limits], WHOLE + 1),
        densest=_matrix([one.densest for one in limits], 2),
        types=_matrix(types, 4),
        stream=stream_table(told, bare, makes, weights),
        slot_worth=np.array(slot_worths(wanting, worth.tolist()), np.float64),
        mask_worth=mask_worth,
    )


def stream_table(told: Sequence[Typical], bare: float, makes: Sequence[Make], weights: Weights) -> Ints:
    """For each make and stream a row of demands, those left out that cannot use the make; cpu -1 ends a row."""
    some = [one for one in told if one.shape.devices > 0 or bare > 0]
    shares = [one.share * (1.0 if one.shape.devices else bare) for one in some]
    picks = draw_streams(shares, weights.streams, weights.stream_shapes)
    demands = np.array([demand_of(one.shape) for one in some], np.int64).reshape(len(some), 3)
    table = np.full((len(makes) * weights.streams, 3 * (weights.stream_shapes + 1)), -1, np.int32)
    for row_of, make in enumerate(makes):
        takes = np.array([mask_of(one.shape).takes(make) for one in some], bool)
        for stream in range(weights.streams):
            row = picks[stream][takes[picks[stream]]] if some else picks[stream]
            table[row_of * weights.streams + stream, : 3 * len(row)] = demands[row].ravel()
    return table


def _at(index: dict[Demand, int], key: Demand) -> int:
    return index.setdefault(key, len(index))


def _frequency(one: Typical) -> tuple[float, int, int, int, int, list[str]]:
    shape = one.shape
    return -one.share, shape.cpu_milli, shape.device_milli, shape.devices, shape.memory_mib, sorted(shape.kinds)


def _worths(wanting: Sequence[Typical], masks: Sequence[int], count: int) -> tuple[Reals, Reals]:
    """Each typical shape's share of the demand for devices, and the sums of those by mask."""
    asked = [one.share * demand_of(one.shape).milli for one in wanting]
    worth = np.array([one / sum(asked) for one in asked], np.float64)  # added from left to right, as everywhere
    by_mask = np.zeros(count)
    for mask, one in zip(masks, worth, strict=True):
        by_mask[mask] += one
    return worth, by_mask


def _limits(classes: Sequence[Demand], served: Longs, *, bare: bool) -> list[Limits]:
    """Of each make; makes that serve the same classes share them."""
    known: dict[tuple[int, ...], Limits] = {}
    for row in served:
        key = tuple(row.tolist())
        if key not in known:
            some = [one for one, takes in zip(classes, key, strict=True) if takes]
            known[key] = find_limits(some, bare=bare)
    return [known[tuple(row.tolist())] for row in served]


def _type_of(host: Host, makes: tuple[Make, ...]) -> tuple[int, int, int, int]:
    return makes.index(make_of(host)), host.devices, host.cpu_milli, host.memory_mib


def _matrix(rows: Sequence[Sequence[int]], columns: int) -> Longs:
    return np.array(rows, np.int64).reshape(len(rows), columns)
