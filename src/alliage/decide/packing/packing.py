"""Packing: one request -> a host and its devices, at the least cost.

The cost of a place, in devices: what typical shapes will now never fill there, plus what the kind, the slots and an
untouched host are worth. Ties go to the host with less idle, then less cpu (`kernels.ways.before`); of hosts that are
alike to the rule, to the one with the least cpu, then memory, that suffice: names and the order of hosts decide nothing
but which of several copies is taken.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from alliage.decide.packing.books import Held, empty_hosts, fresh_books, values_for, values_most
from alliage.decide.packing.checking import check
from alliage.decide.packing.compiled import Kernels, compiled_kernels, plain_kernels
from alliage.decide.packing.costs import Cost, Offer, Verdict
from alliage.decide.packing.kernels.opening import open_books
from alliage.decide.packing.layout import COUNT_GRAIN, FULL, Arenas, Books, Longs, lay_out
from alliage.decide.packing.learning import Heard
from alliage.decide.packing.scarcity import reach
from alliage.decide.packing.shapes import WHOLE, Host, Placed, Shape, Typical
from alliage.decide.packing.tables import build_tables
from alliage.decide.packing.weights import Weights
from alliage.errors import BadInput

COMPILED_FROM = 200
"""Hosts from which the kernels are compiled unless said otherwise: see docs/decisions/0002-compiled-packing.md."""


class Packing:
    """The state of one set of hosts. Shapes and hosts are named by index; ids and names never come in here."""

    def __init__(
        self,
        hosts: Sequence[Host],
        shapes: Sequence[Shape],
        typical: Sequence[Typical],
        *,
        held: Iterable[Placed] = (),
        weights: Weights | None = None,
        compiled: bool | None = None,
        learns: bool = True,
    ) -> None:
        """`held` is what runs already.

        With `learns`, arrivals that contradict `typical` replace it in time, and requests that leave are reckoned with.
        Raises BadInput for numbers that make no sense, and where what is held does not fit.
        """
        check(hosts, shapes, typical)
        self._hosts, self._shapes, self._typical = tuple(hosts), tuple(shapes), tuple(typical)
        self._weights = weights or Weights()
        wanted = len(self._hosts) >= COMPILED_FROM if compiled is None else compiled
        self._kernels: Kernels = compiled_kernels() if wanted else plain_kernels()
        self._churns = False
        self._build()
        self._heard = Heard(self._shapes) if learns else None
        self._devices = np.zeros(max(self._tables.width, 128), np.int64)
        self._arenas: Arenas
        self._load(empty_hosts(self._tables), values_for(self._tables))
        for placed in held:
            self.hold(placed)

    @property
    def typical(self) -> tuple[Typical, ...]:
        """The shapes that are expected now."""
        return self._typical

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        if self._heard is not None and self._heard.hear(shape):
            self._reconsider(self._heard)
        host = self._kernels.place(*self._arenas, shape, self._devices)
        while host == FULL:
            self._grow()
            host = self._kernels.place(*self._arenas, shape, self._devices)
        if host < 0:
            return None
        return Placed(shape, host, tuple(self._devices[: self._shapes[shape].devices].tolist()))

    def remove(self, placed: Placed) -> None:
        """Give back what one request held. Raises BadInput where the host does not hold as much."""
        self._change(placed, -1)
        if self._heard is not None:
            self._heard.hear_leaving()

    def hold(self, placed: Placed) -> None:
        """Take the room of a request that was placed elsewhere or earlier. Raises BadInput where it is not there."""
        self._change(placed, 1)

    def expect(self, typical: Sequence[Typical]) -> None:
        """Replaces the typical shapes; what hosts hold stays, and answers are those of a packing built anew."""
        check((), (), typical)
        self._typical = tuple(typical)
        self._build()
        self._load(self._held(), values_for(self._tables))

    def score(self, shape: int) -> Verdict | None:
        """Where a request of that shape would go, what that costs and what the next best costs; changes nothing."""
        found: Longs = np.zeros(((len(self._hosts) + 2) * self._tables.width, 7), np.int64)
        rows = self._kernels.survey(*self._arenas, shape, found)
        while rows == FULL:
            self._grow()
            rows = self._kernels.survey(*self._arenas, shape, found)
        if rows == 0:
            return None
        best = found[0]
        others = found[:rows][found[:rows, 0] != best[0]]
        second = others[np.argmin(others[:, 3:].sum(axis=1))] if len(others) else None
        return Verdict(chosen=self._offer(best), runner_up=None if second is None else self._offer(second))

    def books(self) -> Books:
        """All arrays as they are, for tests and benchmarks; not to be written."""
        return open_books(*self._arenas)

    def _offer(self, row: Longs) -> Offer:
        grains = int(self.books().count[0, COUNT_GRAIN]) * WHOLE
        fill, kind, slot, opening = (int(term) / grains for term in row[3:])
        return Offer(host=int(row[2]), cost=Cost(fill=fill, kind=kind, slot=slot, opening=opening))

    def _change(self, placed: Placed, by: int) -> None:
        self._check(placed)
        devices = np.array(placed.devices, np.int64)
        answer = self._kernels.change(*self._arenas, placed.host, placed.shape, devices, by)
        while answer == FULL:
            self._grow()
            answer = self._kernels.change(*self._arenas, placed.host, placed.shape, devices, by)
        if answer < 0:
            raise BadInput(
                f"host {placed.host} cannot {'hold' if by > 0 else 'give back'} {placed}",
                remedy="give back what was placed, once; hold what there is room for",
            )

    def _check(self, placed: Placed) -> None:
        known = 0 <= placed.host < len(self._hosts) and 0 <= placed.shape < len(self._shapes)
        if known:
            devices = set(placed.devices)
            known = len(devices) == len(placed.devices) == self._shapes[placed.shape].devices
            known = known and devices <= set(range(self._hosts[placed.host].devices))
        if not known:
            raise BadInput(f"there can be no {placed}", remedy="name a host, a shape and as many devices as it wants")

    def _held(self) -> Held:
        books = self.books()
        return Held(books.host.copy(), books.idle.copy())

    def _load(self, held: Held, values: int) -> None:
        self._arenas = lay_out(fresh_books(self._tables, held, self._weighed, values))
        self._kernels.load(*self._arenas)

    def _grow(self) -> None:
        """Twice the room, or all fill values forgotten where there are too many; no answer depends on it."""
        values = len(self.books().value)
        self._load(self._held(), min(2 * values, values_most(self._tables)))

    def _build(self) -> None:
        weights = self._weights.for_reach(reach(self._hosts, self._typical))
        self._weighed = weights.for_churn() if self._churns else weights
        self._tables = build_tables(self._hosts, self._shapes, self._typical, self._weighed)

    def _reconsider(self, heard: Heard) -> None:
        churns, self._churns = self._churns, heard.churns
        learnt = heard.contradict(self._typical)
        if learnt is not None or churns != self._churns:
            self.expect(learnt or self._typical)
