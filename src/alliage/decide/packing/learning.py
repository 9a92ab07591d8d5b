"""Arrivals against what was told to be typical, and whether requests leave. Pure counting: the same teach the same."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import sqrt

from alliage.decide.packing.shapes import Shape, Typical

FIRST_LOOK, LOOK_EVERY = 128, 1024
DOUBT = 0.15
COVERED = 0.95
CHURNS_FROM = 1 / 16
_Sort = tuple[int, int, int, frozenset[str]]


class Heard:
    """Counts arrivals by shape. Older ones fade: at each look after the first ones, every count is halved."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        """Of these shapes."""
        self._shapes = shapes
        self._counts = [0] * len(shapes)
        self._arrived = 0
        self._lately = self._left = 0
        self._next = FIRST_LOOK

    def hear(self, shape: int) -> bool:
        """Counts one arrival; True when it is time to look (after 128, 256, 512, then every 1,024)."""
        self._counts[shape] += 1
        self._arrived += 1
        self._lately += 1
        if self._arrived < self._next:
            return False
        self._next += min(self._arrived, LOOK_EVERY)
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

        Differs: the variation distance between the shares, less half the root of sorts over arrivals (what chance
        alone makes of it at most), is over 0.15.
        """
        heard = self._sorts()
        total = sum(heard.values())
        told: dict[_Sort, float] = defaultdict(float)
        for one in typical:
            told[_sort(one.shape)] += one.share
        scale = sum(told.values()) or 1.0
        distance = sum(abs(heard[sort] / total - told[sort] / scale) for sort in {*heard, *told}) / 2
        chance = sqrt(len(heard) / total) / 2
        if self._arrived > LOOK_EVERY:
            self._counts = [count // 2 for count in self._counts]
            self._lately, self._left = self._lately // 2, self._left // 2
        return _typical(heard, total) if distance - chance > DOUBT else None

    def _sorts(self) -> Counter[_Sort]:
        sorts = Counter[_Sort]()
        for shape, count in zip(self._shapes, self._counts, strict=True):
            if count:
                sorts[_sort(shape)] += count
        return sorts


def _sort(shape: Shape) -> _Sort:
    return shape.cpu_milli, shape.device_milli, shape.devices, shape.kinds


def _typical(heard: Counter[_Sort], total: int) -> tuple[Typical, ...]:
    """The most frequent sorts that cover 95 % of the arrivals."""
    chosen: list[Typical] = []
    covered = 0
    for sort, count in sorted(heard.items(), key=lambda item: (-item[1], item[0][:3], sorted(item[0][3]))):
        if covered >= COVERED * total:
            break
        covered += count
        cpu, milli, devices, kinds = sort
        shape = Shape(devices=devices, device_milli=milli, cpu_milli=cpu, memory_mib=0, kinds=kinds)
        chosen.append(Typical(shape=shape, share=count / total))
    return tuple(chosen)
