"""Arrivals against what was told to be typical, and whether requests leave. Pure counting: the same teach the same."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import sqrt

from alliage.decide.packing.shapes import WHOLE, Shape, Typical

LOOK_FROM, LOOK_EVERY, FADE_EVERY = 64, 512, 1024
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
        self._arrived = 0
        self._lately = self._left = 0
        self._next, self._fades = LOOK_FROM, FADE_EVERY

    def hear(self, shape: int) -> bool:
        """Counts one arrival; True when it is time to look (after 64, a quarter more each time, at last every 512)."""
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
        over arrivals (what chance alone makes of it at most), is over 0.15.
        """
        heard = self._sorts()
        total = sum(heard.values())
        told: dict[_Sort, float] = defaultdict(float)
        for one in typical:
            told[_sort(one.shape)] += one.share
        doubt = max(_distance(heard, told, lambda _: 1), _distance(heard, told, _milli))
        if self._arrived >= self._fades:
            self._fades = self._arrived + FADE_EVERY
            self._counts = [count // 2 for count in self._counts]
            self._lately, self._left = self._lately // 2, self._left // 2
        return _typical(heard, total) if doubt > DOUBT else None

    def _sorts(self) -> Counter[_Sort]:
        sorts = Counter[_Sort]()
        for shape, count in zip(self._shapes, self._counts, strict=True):
            if count:
                sorts[_sort(shape)] += count
        return sorts


def _sort(shape: Shape) -> _Sort:
    return shape.cpu_milli, shape.device_milli, shape.devices, shape.kinds


def _milli(sort: _Sort) -> int:
    _, milli, devices, _ = sort
    return devices * (milli if devices == 1 else WHOLE)


def _distance(heard: Mapping[_Sort, int], told: Mapping[_Sort, float], weigh: Callable[[_Sort], int]) -> float:
    """How far the shares are apart, as some weight counts them, less what chance makes of it."""
    all_heard = sum(count * weigh(sort) for sort, count in heard.items())
    all_told = sum(share * weigh(sort) for sort, share in told.items())
    apart = 0.0
    for sort in {*heard, *told}:
        had = heard.get(sort, 0) * weigh(sort) / all_heard if all_heard else 0.0
        apart += abs(had - (told.get(sort, 0.0) * weigh(sort) / all_told if all_told else 0.0))
    weighing = [(count, weigh(sort)) for sort, count in heard.items() if weigh(sort)]
    squares = sum(count * weight**2 for count, weight in weighing)
    return apart / 2 - sqrt(len(weighing) * squares) / (2 * all_heard) if all_heard else 0.0


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
