"""Mixes of shapes, drawn from a seed and cut to the hosts: how many devices, how much CPU, which kinds, how often."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias

from alliage.decide.packing.shapes import WHOLE, Host, Shape

SHAPES: Final = 24
"""Distinct shapes of a mix, about as many as make nine tenths of a real cluster's pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shapes and how often each is asked for (any unit)."""

    shapes: tuple[Shape, ...]
    weights: tuple[float, ...]


Maker: TypeAlias = Callable[[Sequence[Host], Random], Mix]


def gangs(hosts: Sequence[Host], dice: Random) -> Mix:
    """Two, four or eight whole devices each, as far as there are hosts with so many."""
    most = max(host.devices for host in hosts)
    sizes = [size for size in (2, 4, 8) if size <= most] or [most]
    return _mix(dice, [_shape(hosts, dice, dice.choice(sizes), WHOLE) for _ in range(SHAPES)])


def fractions(hosts: Sequence[Host], dice: Random) -> Mix:
    """A part of one device each, from a twentieth to nearly all."""
    return _mix(dice, [_shape(hosts, dice, 1, dice.randrange(50, 960, 10)) for _ in range(SHAPES)])


def singles(hosts: Sequence[Host], dice: Random) -> Mix:
    """A bit of everything, as in real clusters: parts, single devices, some gangs, some without a device."""
    makers = [_part, _single, _single, _part, _gang, _bare, _part, _single]
    return _mix(dice, [makers[at % len(makers)](hosts, dice) for at in range(SHAPES)])


def cpu_heavy(hosts: Sequence[Host], dice: Random) -> Mix:
    """CPU runs out first: every second request wants no device, the others more CPU than falls to their devices."""
    bare = [_bare(hosts, dice) for _ in range(SHAPES // 2)]
    hungry = [_shape(hosts, dice, 1, dice.choice((300, 500, WHOLE)), cpu=(1.0, 2.5)) for _ in range(SHAPES // 2)]
    return _mix(dice, bare + hungry)


def pins(hosts: Sequence[Host], dice: Random) -> Mix:
    """As `singles`, but half of the shapes accept one kind or two, out of proportion to how many there are."""
    kinds = sorted({host.kind for host in hosts if host.devices})
    plain = singles(hosts, dice)
    shapes = [_pinned(shape, hosts, kinds, dice) if at % 2 else shape for at, shape in enumerate(plain.shapes)]
    return _mix(dice, shapes)


def _pinned(shape: Shape, hosts: Sequence[Host], kinds: Sequence[str], dice: Random) -> Shape:
    chosen = frozenset(dice.sample(kinds, min(len(kinds), dice.choice((1, 1, 2)))))
    most = max(host.devices for host in hosts if host.kind in chosen)
    pinned = replace(shape, devices=min(shape.devices, most), kinds=chosen if shape.devices else frozenset())
    return _cut(pinned, hosts)


def _cut(shape: Shape, hosts: Sequence[Host]) -> Shape:
    """No more CPU and memory than one host has that accepts it: the one with the most CPU."""
    able = [host for host in hosts if host.devices >= shape.devices and (not shape.kinds or host.kind in shape.kinds)]
    host = max(able, key=lambda each: (each.cpu_milli, each.memory_mib))
    return replace(
        shape, cpu_milli=min(shape.cpu_milli, host.cpu_milli), memory_mib=min(shape.memory_mib, host.memory_mib)
    )


def _part(hosts: Sequence[Host], dice: Random) -> Shape:
    return _shape(hosts, dice, 1, dice.choice((160, 220, 320, 470, 590, 650, 810)))


def _single(hosts: Sequence[Host], dice: Random) -> Shape:
    return _shape(hosts, dice, 1, WHOLE)


def _gang(hosts: Sequence[Host], dice: Random) -> Shape:
    return _shape(hosts, dice, min(dice.choice((2, 4, 8)), max(host.devices for host in hosts)), WHOLE)


def _bare(hosts: Sequence[Host], dice: Random) -> Shape:
    return _shape(hosts, dice, 0, 0, cpu=(0.5, 3.0))


def _shape(
    hosts: Sequence[Host], dice: Random, devices: int, milli: int, cpu: tuple[float, float] = (0.15, 1.1)
) -> Shape:
    """CPU and memory in parts of what falls to one device on the host in the middle; parts of a device take less."""
    share = dice.uniform(*cpu) * (devices * max(milli, 250) / WHOLE if devices else 1)
    able = [host for host in hosts if host.devices >= max(devices, 1)]
    cpu_milli = _middle([host.cpu_milli // host.devices for host in able]) * share
    memory_mib = _middle([host.memory_mib // host.devices for host in able]) * share * dice.uniform(0.3, 1.0)
    shape = Shape(
        devices=devices,
        device_milli=milli,
        cpu_milli=int(cpu_milli) // 100 * 100,
        memory_mib=int(memory_mib) // 64 * 64,
    )
    return _cut(shape, able)


def _middle(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]


def _mix(dice: Random, shapes: Sequence[Shape]) -> Mix:
    """Popularity falls with rank, in an order drawn anew; shapes drawn twice are one."""
    order = list(shapes)
    dice.shuffle(order)
    weights: Counter[Shape] = Counter()
    for rank, shape in enumerate(order):
        weights[shape] += 840 // (rank + 1)
    return Mix(shapes=tuple(weights), weights=tuple(float(weight) for weight in weights.values()))
