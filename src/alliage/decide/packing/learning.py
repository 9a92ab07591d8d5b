"""Arrivals against what was told to be typical, and whether requests leave. Pure counting: the same teach the same."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt

import numpy as np

from alliage.decide.packing.layout import Reals
from alliage.decide.packing.shapes import WHOLE, Shape, Typical

LOOK_FROM, LOOK_EVERY = 32, 1024
DOUBT = 0.15
COVERED = 0.95
CHURNS_FROM = 1 / 16
_Sort = tuple[int, int, int, frozenset[str]]


class Heard:
    """Counts arrivals by shape. Older ones fade: after 1,024, and each time as many came again, every count is halved."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        """Of these shapes."""
        self._shapes = shapes
        self._counts = [0] * len(shapes)
        self._numbers: dict[_Sort, int] = {}
        self._sort_of = np.array([self._number(shape) for shape in shapes], np.int64)
        self._milli: Reals = np.zeros(0)
        self._arrived = 0
        self._lately = self._left = 0
        self._next, self._fades = LOOK_FROM, LOOK_EVERY

    def hear(self, shape: int) -> bool:
        """Counts one arrival; True when it is time to look (after 32, at first every 32, then a quarter more each time, at last every 1,024)."""
        self._counts[shape] += 1
        self._arrived += 1
        self._lately += 1
        if self._arrived < self._next:
            return False
        self._next += max(LOOK_FROM, min(self._arrived // 4, LOOK_EVERY))
        return True

    def hear_leaving(self) -> None:
        """Counts one that left."""
        self._left += 1

    @property
    def churns(self) -> bool:
        """Whether one request leaves for sixteen that arrive, or more."""
        return self._left > CHURNS_FROM * self._lately

    def contradict(self, typical: Sequence[Typical]) -> tuple[Typical, ...] | None:
        """What is typical of the arrivals, where it differs by more than chance from what was told; else None.

        Differs: the variation distance between the shares, of requests or of devices wanted, less half the root of sorts
        over arrivals (what chance alone makes of it; sorts that were told and did not come count too), is over 0.15.
        """
        heard, told = self._shares(typical)
        doubt = max(_distance(heard, told), _distance(heard, told, self._milli))
        learnt = _typical(self._sorts()) if doubt > DOUBT else None
        if self._arrived >= self._fades:
            self._fades = self._arrived + LOOK_EVERY
            self._counts = [count // 2 for count in self._counts]
            self._lately, self._left = self._lately // 2, self._left // 2
        return learnt

    def _shares(self, typical: Sequence[Typical]) -> tuple[Reals, Reals]:
        """Of each sort, the arrivals and what was told of it; sorts that were told and never came are taken in."""
        asked = [(self._number(one.shape), one.share) for one in typical]
        told: Reals = np.zeros(len(self._numbers))
        for number, share in asked:
            told[number] += share
        heard: Reals = np.bincount(self._sort_of, self._counts, len(told)).astype(np.float64)
        if len(self._milli) < len(told):
            self._milli = np.array([_milli_of(sort) for sort in self._numbers], np.float64)
        return heard, told

    def _number(self, shape: Shape) -> int:
        return self._numbers.setdefault(_sort(shape), len(self._numbers))

    def _sorts(self) -> Counter[_Sort]:
        sorts = Counter[_Sort]()
        for shape, count in zip(self._shapes, self._counts, strict=True):
            if count:
                sorts[_sort(shape)] += count
        return sorts


def _sort(shape: Shape) -> _Sort:
    return shape.cpu_milli, shape.device_milli, shape.devices, shape.kinds


def _milli_of(sort: _Sort) -> int:
    _, milli, devices, _ = sort
    return devices * (milli if devices == 1 else WHOLE)


def _distance(heard: Reals, told: Reals, weight: Reals | float = 1.0) -> float:
    """How far the shares are apart, each sort of that weight, less what chance makes of it."""
    had, said = heard * weight, told * weight
    if not had.any():
        return 0.0
    apart = np.abs(had / had.sum() - said / (said.sum() or 1.0)).sum() / 2
    sorts = (((heard > 0) | (told > 0)) * weight).sum()
    return float(apart - sqrt(sorts / had.sum()) / 2)


def _typical(heard: Counter[_Sort]) -> tuple[Typical, ...]:
    """The most frequent sorts that cover 95 % of the arrivals."""
    chosen: list[Typical] = []
    total = heard.total()
    covered = 0
    for sort, count in sorted(heard.items(), key=lambda item: (-item[1], item[0][:3], sorted(item[0][3]))):
        if covered >= COVERED * total:
            break
        covered += count
        cpu, milli, devices, kinds = sort
        shape = Shape(devices=devices, device_milli=milli, cpu_milli=cpu, memory_mib=0, kinds=kinds)
        chosen.append(Typical(shape=shape, share=count / total))
    return tuple(chosen)
