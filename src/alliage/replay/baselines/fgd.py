"""Baseline: FGD compiled, with an exact cache of scores. Formula, score and tie-break are those of `fgd_plain`.

A score depends on a host's state and what is asked of it (memory does not count), so it is kept per host and such
asking until the host changes. Importing this imports Numba; the compiled code is cached on disk.
"""

from collections.abc import Sequence
from math import exp
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape, Typical

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

CPU, MEMORY, KIND, DEVICES, MOST_IDLE, WHOLE_IDLE, ALL_IDLE, VERSION, IDLE = range(9)
"""Columns of the hosts' table; the idle thousandths of each device come last. VERSION counts a host's changes."""
ASKED_CPU, ASKED_MEMORY, ASKED_DEVICES, ASKED_MILLI, ASKED_KINDS, ASKING = range(6)
"""Columns of the shapes' table. ASKING numbers the shapes that differ in more than memory."""
LEVEL, NEEDED_DEVICES, NEEDED_CPU, NEEDED_KINDS = range(4)
"""Columns of the typical shapes' table; LEVEL is the place of its thousandths among the distinct ones."""
EXPONENT_MAX: Final = 700.0
DEVICE_BITS, SCORE_BITS = 16, 8
"""How a cached answer is written in one number: version, score, first device."""


class State(NamedTuple):
    """All that the compiled code works on; F, scores and sums are brought up to date where a host changes."""

    hosts: Integers
    frags: Floats
    """F of each host, in thousandths of a device."""
    asked: Integers
    cache: Integers
    """By ASKING and host: the version, score and first device that were found last, -1 for none."""
    typical: Integers
    shares: Floats
    levels: Integers
    """The distinct thousandths that typical shapes ask for."""
    accepts: Flags
    """By set of kinds and kind."""
    scratch: Integers


class Fgd:
    """FGD. With `least_idle`, a tie goes to the host with the least idle devices, then the first."""

    def __init__(
        self, hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], *, least_idle: bool = False
    ) -> None:
        kinds = sorted({host.kind for host in hosts})
        sets = sorted({shape.kinds for shape in (*shapes, *(each.shape for each in typical))}, key=sorted)
        levels = sorted({each.shape.device_milli for each in typical if each.shape.devices})
        self._shapes, self._least_idle = shapes, int(least_idle)
        asked, table = _shape_table(shapes, sets), _host_table(hosts, kinds)
        self._taken = np.zeros(table.shape[1] - IDLE, dtype=np.int64)
        self._state = State(
            hosts=table,
            frags=np.zeros(len(hosts), dtype=np.float64),
            asked=asked,
            cache=np.full((len({*asked[:, ASKING]}), len(hosts)), -1, dtype=np.int64),
            typical=_typical_table(typical, levels, sets),
            shares=np.array([each.share for each in typical], dtype=np.float64),
            levels=np.array(levels, dtype=np.int64),
            accepts=_accept_table(sets, kinds),
            scratch=np.zeros((2, len(levels)), dtype=np.int64),
        )
        for host in range(len(hosts)):
            _renew(host, self._state)

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        host = _place(shape, self._least_idle, self._taken, self._state)
        if host < 0:
            return None
        return Placed(shape, host, tuple(self._taken[: self._shapes[shape].devices].tolist()))

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        taken = np.array(placed.devices, dtype=np.int64)
        _book(placed.host, self._state.asked[placed.shape], taken, -1, self._state)


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


def _typical_table(typical: Sequence[Typical], levels: Sequence[int], sets: Sequence[frozenset[str]]) -> Integers:
    table = np.zeros((len(typical), 4), dtype=np.int64)
    for row, each in zip(table, typical, strict=True):
        shape = each.shape
        level = levels.index(shape.device_milli) if shape.devices else 0
        row[:] = (level, shape.devices, shape.cpu_milli, sets.index(shape.kinds))
    return table


def _accept_table(sets: Sequence[frozenset[str]], kinds: Sequence[str]) -> Flags:
    table = np.ones((len(sets), len(kinds)), dtype=np.bool_)
    for row, accepted in zip(table, sets, strict=True):
        row[:] = [not accepted or kind in accepted for kind in kinds]
    return table


@njit(cache=True)
def _fragmentation(row: Integers, idle: Integers, cpu_milli: int, state: State) -> float:
    """F of a host that has these idle devices and that idle CPU, in thousandths of a device."""
    devices = row[DEVICES]
    everything = 0
    for device in range(devices):
        everything += idle[device]
    if everything == 0:
        return 0.0
    for at in range(state.levels.size):
        able = short = 0
        for device in range(devices):
            if idle[device] >= state.levels[at]:
                able += 1
            else:
                short += idle[device]
        state.scratch[0, at], state.scratch[1, at] = able, short
    total = 0.0
    for each in range(state.shares.size):
        level, needed = state.typical[each, LEVEL], state.typical[each, NEEDED_DEVICES]
        runs = (
            needed > 0
            and cpu_milli >= state.typical[each, NEEDED_CPU]
            and state.scratch[0, level] >= needed
            and state.accepts[state.typical[each, NEEDED_KINDS], row[KIND]]
        )
        total += state.shares[each] * (state.scratch[1, level] if runs else everything)
    return total


@njit(cache=True)
def _renew(host: int, state: State) -> None:
    """Bring what is summed over a host's devices up to date."""
    row = state.hosts[host]
    idle = row[IDLE:]
    row[MOST_IDLE] = row[WHOLE_IDLE] = row[ALL_IDLE] = 0
    for milli in idle:
        row[MOST_IDLE] = max(row[MOST_IDLE], milli)
        row[WHOLE_IDLE] += milli == WHOLE
        row[ALL_IDLE] += milli
    row[VERSION] += 1
    state.frags[host] = _fragmentation(row, idle, row[CPU], state)


@njit(cache=True)
def _book(host: int, asked: Integers, taken: Integers, sign: int, state: State) -> None:
    """Take room (`sign` 1) or give it back (-1) on these devices of a host."""
    row = state.hosts[host]
    row[CPU] -= sign * asked[ASKED_CPU]
    row[MEMORY] -= sign * asked[ASKED_MEMORY]
    for at in range(asked[ASKED_DEVICES]):
        row[IDLE + taken[at]] -= sign * asked[ASKED_MILLI]
    _renew(host, state)


@njit(cache=True)
def _score(asked: Integers, host: int, state: State) -> int:
    """The best score of one host and the device it comes with, as `score << DEVICE_BITS | device`."""
    row = state.hosts[host]
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
        after = _fragmentation(row, idle, cpu, state)
        points = int(100 * (1 / (1 + exp(min((after - state.frags[host]) / WHOLE, EXPONENT_MAX)))))
        if shared:
            idle[device] += milli
            first = device if points > best else first
        best = max(best, points)
    return (best << DEVICE_BITS) | first


@njit(cache=True)
def _came_before(idle: Integers, device: int) -> bool:
    """Whether an earlier device has as much idle: its score is the same."""
    return bool((idle[:device] == idle[device]).any())


@njit(cache=True)
def _choose(shape: int, least_idle: int, state: State) -> int:
    """The best host and first device as `host << DEVICE_BITS | device`; -1 where none has room."""
    asked = state.asked[shape]
    shared = asked[ASKED_DEVICES] == 1 and asked[ASKED_MILLI] < WHOLE
    best = best_host = best_device = best_idle = -1
    for host in range(state.hosts.shape[0]):
        row = state.hosts[host]
        if row[CPU] < asked[ASKED_CPU] or row[MEMORY] < asked[ASKED_MEMORY]:
            continue
        if shared and row[MOST_IDLE] < asked[ASKED_MILLI]:
            continue
        if not shared and row[WHOLE_IDLE] < asked[ASKED_DEVICES]:
            continue
        if asked[ASKED_DEVICES] > 0 and not state.accepts[asked[ASKED_KINDS], row[KIND]]:
            continue
        kept = state.cache[asked[ASKING], host]
        if kept < 0 or kept >> (DEVICE_BITS + SCORE_BITS) != row[VERSION]:
            found = _score(asked, host, state)
            kept = (row[VERSION] << (DEVICE_BITS + SCORE_BITS)) | found
            state.cache[asked[ASKING], host] = kept
        points = (kept >> DEVICE_BITS) & ((1 << SCORE_BITS) - 1)
        if points > best or (least_idle == 1 and points == best and row[ALL_IDLE] < best_idle):
            best, best_host, best_idle = points, host, row[ALL_IDLE]
            best_device = kept & ((1 << DEVICE_BITS) - 1)
    return (best_host << DEVICE_BITS) | best_device if best >= 0 else -1


@njit(cache=True)
def _place(shape: int, least_idle: int, taken: Integers, state: State) -> int:
    """Choose a host and take the room; its devices are left in `taken`. -1 where none has room."""
    found = _choose(shape, least_idle, state)
    if found < 0:
        return -1
    host, first = found >> DEVICE_BITS, found & ((1 << DEVICE_BITS) - 1)
    asked, row, at = state.asked[shape], state.hosts[host], 0
    for device in range(first, row[DEVICES]):
        if at < asked[ASKED_DEVICES] and row[IDLE + device] >= asked[ASKED_MILLI]:
            taken[at] = device
            at += 1
    _book(host, asked, taken, 1, state)
    return host
