"""Baseline: FGD compiled, with an exact cache of scores. Formula, score and tie-break are those of `fgd_plain`.

A score depends on a host's state and what is asked of it (memory does not count), so it is kept per host and such
asking until the host changes. Importing this imports Numba; the compiled code is cached on disk.
"""

from collections.abc import Sequence
from math import exp
from typing import Any, Final, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alliage.decide.packing.shapes import Host, Placed, Shape, Typical

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

CPU, MEMORY, KIND, DEVICES, MOST_IDLE, WHOLE_IDLE, ALL_IDLE, VERSION, IDLE = range(9)
"""Columns of the hosts' table; the idle thousandths of each device come last. VERSION counts a host's changes."""
ASKED_CPU, ASKED_MEMORY, ASKED_DEVICES, ASKED_MILLI, ASKED_KINDS, ASKING = range(6)
"""Columns of the shapes' table. ASKING numbers the shapes that differ in more than memory."""
LEVEL, NEEDED_DEVICES, NEEDED_CPU, NEEDED_KINDS = range(4)
"""Columns of the typical shapes' table; LEVEL is the place of its thousandths among the distinct ones."""
WHOLE: Final = 1000
EXPONENT_MAX: Final = 700.0
DEVICE_BITS, SCORE_BITS = 16, 8
"""How a cached answer is written in one number: version, score, first device."""


class Fgd:
    """FGD. With `least_idle`, a tie goes to the host with the least idle devices, then the first."""

    def __init__(
        self, hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], *, least_idle: bool = False
    ) -> None:
        kinds = sorted({host.kind for host in hosts})
        sets = sorted({shape.kinds for shape in (*shapes, *(each.shape for each in typical))}, key=sorted)
        levels = sorted({each.shape.device_milli for each in typical if each.shape.devices})
        self._shapes = shapes
        self._hosts = _host_table(hosts, kinds)
        self._asked = _shape_table(shapes, sets)
        self._typical = _typical_table(typical, levels, sets)
        self._shares = np.array([each.share for each in typical], dtype=np.float64)
        self._levels = np.array(levels, dtype=np.int64)
        self._accepts = np.array([[not each or kind in each for kind in kinds] for each in sets], dtype=np.bool_)
        self._frags = np.zeros(len(hosts), dtype=np.float64)
        self._cache = np.full((len({*self._asked[:, ASKING]}), len(hosts)), -1, dtype=np.int64)
        self._scratch = np.zeros((2, len(levels)), dtype=np.int64)
        self._least_idle = least_idle
        for host in range(len(hosts)):
            self._touch(host)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        found = _choose(shape, self._least_idle, *self._tables())
        if found < 0:
            return None
        host, first = divmod(found, 1 << DEVICE_BITS)
        placed = Placed(shape, host, self._devices(shape, host, first))
        self._book(placed, 1)
        return placed

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        self._book(placed, -1)

    def _devices(self, shape: int, host: int, first: int) -> tuple[int, ...]:
        wanted = self._shapes[shape].devices
        if wanted <= 1:
            return (first,) * wanted
        idle = self._hosts[host, IDLE:].tolist()
        return tuple([device for device, milli in enumerate(idle) if milli == WHOLE][:wanted])

    def _book(self, placed: Placed, sign: int) -> None:
        shape, row = self._shapes[placed.shape], self._hosts[placed.host]
        row[CPU] -= sign * shape.cpu_milli
        row[MEMORY] -= sign * shape.memory_mib
        for device in placed.devices:
            row[IDLE + device] -= sign * shape.device_milli
        self._touch(placed.host)

    def _touch(self, host: int) -> None:
        row = self._hosts[host]
        idle = row[IDLE:]
        _renew(row, idle)
        self._frags[host] = _fragmentation(row, idle, row[CPU], *self._facts())

    def _facts(self) -> tuple[Any, ...]:
        return (self._typical, self._shares, self._levels, self._accepts, self._scratch)

    def _tables(self) -> tuple[Any, ...]:
        return (self._hosts, self._asked, self._frags, self._cache, *self._facts())


def _host_table(hosts: Sequence[Host], kinds: Sequence[str]) -> Integers:
    columns = max((host.devices for host in hosts), default=0)
    table = np.zeros((len(hosts), IDLE + columns), dtype=np.int64)
    for row, host in zip(table, hosts, strict=True):
        row[CPU], row[MEMORY] = host.cpu_milli, host.memory_mib
        row[KIND], row[DEVICES] = kinds.index(host.kind), host.devices
        row[IDLE : IDLE + host.devices] = WHOLE
    return table


def _shape_table(shapes: Sequence[Shape], sets: Sequence[frozenset[str]]) -> Integers:
    table = np.zeros((len(shapes), ASKING + 1), dtype=np.int64)
    askings: dict[tuple[int, ...], int] = {}
    for row, shape in zip(table, shapes, strict=True):
        asking = (shape.cpu_milli, shape.devices, shape.device_milli, sets.index(shape.kinds))
        number = askings.setdefault(asking, len(askings))
        row[:] = (shape.cpu_milli, shape.memory_mib, *asking[1:], number)
    return table


def _typical_table(
    typical: Sequence[Typical], levels: Sequence[int], sets: Sequence[frozenset[str]]
) -> Integers:
    table = np.zeros((len(typical), 4), dtype=np.int64)
    for row, each in zip(table, typical, strict=True):
        shape = each.shape
        level = levels.index(shape.device_milli) if shape.devices else 0
        row[:] = (level, shape.devices, shape.cpu_milli, sets.index(shape.kinds))
    return table


@njit(cache=True)  # type: ignore[untyped-decorator]
def _renew(row: Integers, idle: Integers) -> None:
    """Bring what is summed over a host's devices up to date."""
    row[MOST_IDLE] = row[WHOLE_IDLE] = row[ALL_IDLE] = 0
    for milli in idle:
        row[MOST_IDLE] = max(row[MOST_IDLE], milli)
        row[WHOLE_IDLE] += milli == WHOLE
        row[ALL_IDLE] += milli
    row[VERSION] += 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fragmentation(
    row: Integers, idle: Integers, cpu_milli: int, typical: Integers, shares: Floats, levels: Integers,
    accepts: NDArray[np.bool_], scratch: Integers,
) -> float:  # fmt: skip
    """F of a host that has these idle devices and that idle CPU, in thousandths of a device."""
    devices = row[DEVICES]
    everything = 0
    for device in range(devices):
        everything += idle[device]
    if everything == 0:
        return 0.0
    for at in range(levels.size):
        able = short = 0
        for device in range(devices):
            if idle[device] >= levels[at]:
                able += 1
            else:
                short += idle[device]
        scratch[0, at], scratch[1, at] = able, short
    total = 0.0
    for each in range(shares.size):
        level, needed = typical[each, LEVEL], typical[each, NEEDED_DEVICES]
        runs = (
            needed > 0
            and cpu_milli >= typical[each, NEEDED_CPU]
            and scratch[0, level] >= needed
            and accepts[typical[each, NEEDED_KINDS], row[KIND]]
        )
        total += shares[each] * (scratch[1, level] if runs else everything)
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def _score(
    asked: Integers, row: Integers, frag: float, typical: Integers, shares: Floats, levels: Integers,
    accepts: NDArray[np.bool_], scratch: Integers,
) -> int:  # fmt: skip
    """The best score of one host and the device it comes with, as `score << DEVICE_BITS | device`."""
    idle = row[IDLE:].copy()
    cpu, milli, wanted = row[CPU] - asked[ASKED_CPU], asked[ASKED_MILLI], asked[ASKED_DEVICES]
    shared = wanted == 1 and milli < WHOLE
    best = -1
    first = 0
    if not shared:
        left = wanted
        for device in range(row[DEVICES]):
            if left > 0 and idle[device] >= milli:
                first = device if left == wanted else first
                idle[device] -= milli
                left -= 1
    for device in range(row[DEVICES] if shared else 1):
        if shared:
            if idle[device] < milli or _came_before(idle, device):
                continue
            idle[device] -= milli
        after = _fragmentation(row, idle, cpu, typical, shares, levels, accepts, scratch)
        points = int(100 * (1 / (1 + exp(min((after - frag) / WHOLE, EXPONENT_MAX)))))
        if shared:
            idle[device] += milli
            first = device if points > best else first
        best = max(best, points)
    return (best << DEVICE_BITS) | first


@njit(cache=True)  # type: ignore[untyped-decorator]
def _came_before(idle: Integers, device: int) -> bool:
    """Whether an earlier device has as much idle: its score is the same."""
    for other in range(device):
        if idle[other] == idle[device]:
            return True
    return False


@njit(cache=True)  # type: ignore[untyped-decorator]
def _choose(
    shape: int, least_idle: bool, hosts: Integers, shapes: Integers, frags: Floats, cache: Integers,
    typical: Integers, shares: Floats, levels: Integers, accepts: NDArray[np.bool_], scratch: Integers,
) -> int:  # fmt: skip
    """The best host and first device as `host << DEVICE_BITS | device`; -1 where none has room."""
    asked = shapes[shape]
    shared = asked[ASKED_DEVICES] == 1 and asked[ASKED_MILLI] < WHOLE
    best = best_host = best_device = best_idle = -1
    for host in range(hosts.shape[0]):
        row = hosts[host]
        if row[CPU] < asked[ASKED_CPU] or row[MEMORY] < asked[ASKED_MEMORY]:
            continue
        if shared and row[MOST_IDLE] < asked[ASKED_MILLI]:
            continue
        if not shared and row[WHOLE_IDLE] < asked[ASKED_DEVICES]:
            continue
        if asked[ASKED_DEVICES] > 0 and not accepts[asked[ASKED_KINDS], row[KIND]]:
            continue
        kept = cache[asked[ASKING], host]
        if kept < 0 or kept >> (DEVICE_BITS + SCORE_BITS) != row[VERSION]:
            found = _score(asked, row, frags[host], typical, shares, levels, accepts, scratch)
            kept = (row[VERSION] << (DEVICE_BITS + SCORE_BITS)) | found
            cache[asked[ASKING], host] = kept
        points = (kept >> DEVICE_BITS) & ((1 << SCORE_BITS) - 1)
        if points > best or (least_idle and points == best and row[ALL_IDLE] < best_idle):
            best, best_host, best_idle = points, host, row[ALL_IDLE]
            best_device = kept & ((1 << DEVICE_BITS) - 1)
    return (best_host << DEVICE_BITS) | best_device if best >= 0 else -1
