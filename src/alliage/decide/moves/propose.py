"""Proposals: the cheapest moves and stops on one host after which a request fits there; and moves that mend fragments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from alliage.decide.moves.standing import Resident, Standing
from alliage.decide.packing.shapes import Host, Shape

EVICTED_MAX: Final = 4
"""Residents that one proposal displaces at most: more of them are a rebuild, not a proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One resident's new place; `host` None: it is stopped and waits for a place of its own."""

    resident: str
    host: int | None
    devices: tuple[int, ...]
    cost_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """After `moves`, in their order, a request of `shape` fits on `host`, on `devices`; what they cost in all."""

    shape: Shape
    host: int
    devices: tuple[int, ...]
    moves: tuple[Move, ...]
    cost_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoom:
    """No proposal: `hosts` could hold the shape if they were empty; `tried` sets of residents were looked at, all if not `cut`."""

    hosts: int
    tried: int
    cut: bool


def make_room(
    shape: Shape, hosts: Sequence[Host], residents: Sequence[Resident], *, may_stop: bool, work: int
) -> Proposal | NoRoom:
    """The cheapest proposal by which the shape fits on some host; fewer displaced first among equals, then the lower host.

    `may_stop` allows preemption, else residents are only moved. `work` bounds the sets of residents looked at.
    """
    standing = Standing.of(hosts, residents)
    able = [host for host in range(len(hosts)) if standing.could_ever(shape, host)]
    best: Proposal | None = None
    tried = 0
    for host, leaving in _sets(able, residents):
        if tried >= work:
            return best or NoRoom(hosts=len(able), tried=tried, cut=True)
        tried += 1
        floor = sum(_least(each, may_stop=may_stop) or 0 for each in leaving)
        if any(_least(each, may_stop=may_stop) is None for each in leaving):
            continue
        if best is None or (floor, len(leaving)) < (best.cost_micros, len(best.moves)):
            best = _better(best, _displace(shape, host, leaving, standing, may_stop=may_stop))
    return best or NoRoom(hosts=len(able), tried=tried, cut=False)


def mend(
    shapes: Sequence[Shape], hosts: Sequence[Host], residents: Sequence[Resident], *, work: int
) -> tuple[Proposal, ...]:
    """For each shape that fits nowhere now: the cheapest moves, without stopping anybody, after which one does.

    Proposals stand beside each other, not after each other: carry one out, then ask again.
    """
    standing = Standing.of(hosts, residents)
    found: list[Proposal] = []
    for shape in shapes:
        if any(standing.room_for(shape, host) is not None for host in range(len(hosts))):
            continue
        proposal = make_room(shape, hosts, residents, may_stop=False, work=work)
        if isinstance(proposal, Proposal):
            found.append(proposal)
    return tuple(found)


def carried_out(proposal: Proposal, residents: Sequence[Resident]) -> tuple[Resident, ...]:
    """The residents after the proposal's moves; those that are stopped are gone."""
    moves = {move.resident: move for move in proposal.moves}
    after: list[Resident] = []
    for resident in residents:
        move = moves.get(resident.id)
        if move is None:
            after.append(resident)
        elif move.host is not None:
            after.append(replace(resident, host=move.host, devices=move.devices))
    return tuple(after)


def _sets(able: Sequence[int], residents: Sequence[Resident]) -> Iterator[tuple[int, tuple[Resident, ...]]]:
    """Sets of residents of one host: all hosts without displacing anybody first, then one by one, in pairs ..."""
    by_host = {host: [each for each in residents if each.host == host] for host in able}
    for count in range(EVICTED_MAX + 1):
        for host in able:
            yield from ((host, leaving) for leaving in combinations(by_host[host], count))


def _least(resident: Resident, *, may_stop: bool) -> int | None:
    """What displacing it costs at least; None where it has to stay."""
    costs = [resident.move_micros, resident.stop_micros if may_stop else None]
    return min((cost for cost in costs if cost is not None), default=None)


def _displace(
    shape: Shape, host: int, leaving: Sequence[Resident], standing: Standing, *, may_stop: bool
) -> Proposal | None:
    """The proposal that displaces just these from the host; None where the shape does not fit then, or one has no place.

    The largest looks for its new place first; the request holds its own before, so that nobody moves in its way.
    """
    trial = standing.copy()
    for resident in leaving:
        trial.release(resident.shape, resident.host, resident.devices)
    devices = trial.room_for(shape, host)
    if devices is None:
        return None
    trial.take(shape, host, devices)
    moves: list[Move] = []
    for resident in sorted(leaving, key=lambda each: -each.shape.devices * each.shape.device_milli):
        move = _new_place(resident, trial, may_stop=may_stop)
        if move is None:
            return None
        moves.append(move)
    cost = sum(move.cost_micros for move in moves)
    return Proposal(shape=shape, host=host, devices=devices, moves=tuple(moves), cost_micros=cost)


def _new_place(resident: Resident, trial: Standing, *, may_stop: bool) -> Move | None:
    """Elsewhere if that may be and is no dearer than stopping it; else stopped, if that may be."""
    stop = resident.stop_micros if may_stop else None
    if resident.move_micros is not None and (stop is None or resident.move_micros <= stop):
        placed = trial.place(resident.shape, but=resident.host)
        if placed is not None:
            trial.take(resident.shape, placed.host, placed.devices)
            return Move(
                resident=resident.id, host=placed.host, devices=placed.devices, cost_micros=resident.move_micros
            )
    return None if stop is None else Move(resident=resident.id, host=None, devices=(), cost_micros=stop)


def _better(best: Proposal | None, found: Proposal | None) -> Proposal | None:
    if best is None or found is None:
        return found if best is None else best
    return found if (found.cost_micros, len(found.moves)) < (best.cost_micros, len(best.moves)) else best
