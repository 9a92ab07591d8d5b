"""Typical shapes: the most popular ones that cover 95 % of the pods, the statistics that FGD works with."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from alliage.decide.packing.shapes import Shape, Typical

COVER_PERCENT: Final = 95
"""As in the study's experiments; CPU-only pods count."""


class Pod(NamedTuple):
    """What a pod asks for, and its kinds as they are written: the study counts `A|B` and `A|B|B` apart."""

    shape: Shape
    kinds: str = ""


def find_typical(pods: Iterable[Pod], cover_percent: int = COVER_PERCENT) -> tuple[Typical, ...]:
    """The most popular shapes, memory left out, that cover that part of the pods; their shares sum to 1.

    Equally popular shapes come by CPU, then thousandths of a device, then devices, then kinds, largest first, as in
    the study: it decides which of them are still in. A shape whose kinds are written in two ways may come twice.
    """
    counts = Counter(pod._replace(shape=replace(pod.shape, memory_mib=0)) for pod in pods)
    ranked = sorted(counts.items(), key=lambda each: (each[1], _rank(each[0])), reverse=True)
    wanted, covered, chosen = counts.total() * cover_percent, 0, []
    for pod, count in ranked:
        if covered * 100 >= wanted:
            break
        chosen.append((pod.shape, count))
        covered += count
    return tuple(Typical(shape=shape, share=count / covered) for shape, count in chosen)


def _rank(pod: Pod) -> tuple[int, int, int, str]:
    return (pod.shape.cpu_milli, pod.shape.device_milli, pod.shape.devices, pod.kinds)
