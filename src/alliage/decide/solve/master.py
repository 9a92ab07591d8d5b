"""The master programme: bundles mixed within what there is, as a linear programme; it says what devices should cost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from alliage.decide.solve.bundles import Bundle, columns_of, is_allowed
from alliage.decide.solve.highs import Linear, Relaxed, relax
from alliage.decide.solve.linking import Linked
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import INF, Floats, Ints
from alliage.decide.solve.setting import Setting

MIXED: Final = 1e-6
SHORT: Final = 10.0
"""What it pays, in worths of everything, for a floor that its bundles do not reach yet."""


class Master:
    """The programme over bundles: convexity rows for bundled services, everything else as in the model."""

    def __init__(self, model: Model, setting: Setting, linked: Linked) -> None:
        self._model, self._setting, self._linked = model, setting, linked
        self._place = {work: place for place, work in enumerate(linked.bundled)}
        self._columns: list[list[int]] = [[] for _ in model.options]
        for column, option in enumerate(model.option_of.tolist()):
            self._columns[option].append(column)
        self._seen: list[set[Bundle]] = [set() for _ in linked.bundled]
        self.bundles: list[tuple[int, Bundle]] = []
        self._cost: list[float] = []
        self._at: list[Ints] = []
        self._value: list[Floats] = []
        self.rest = self._others()
        self._short = SHORT * (1.0 + setting.offset) / max(1, len(model.rows.floors))
        self.add([() for _ in linked.bundled])

    def _others(self) -> Ints:
        """Columns of works that are not bundled."""
        bundled = np.zeros(len(self._model.problem.works), dtype=bool)
        bundled[list(self._linked.bundled)] = True
        parts = np.array([part.work for part in self._model.parts], dtype=np.int32)
        of = np.concatenate((self._linked.works, parts)).astype(np.int32)
        return np.flatnonzero(~bundled[of]).astype(np.int32)

    def add(self, bundles: Sequence[Bundle]) -> int:
        """Add what is new and allowed, one for each bundled service; returns how many that were."""
        added = 0
        for place, bundle in enumerate(bundles):
            if bundle not in self._seen[place] and is_allowed(self._model, bundle):
                self._seen[place].add(bundle)
                self._append(place, bundle)
                added += 1
        return added

    def _append(self, place: int, bundle: Bundle) -> None:
        model, linked = self._model, self._linked
        work = linked.bundled[place]
        taken = columns_of(model, bundle, self._columns)
        taken |= self._served(work, bundle)
        sums = np.zeros(len(linked.rows))
        for column, count in taken.items():
            at, values = linked.matrix[column]
            sums[at] += values * count
        used = np.flatnonzero(sums).astype(np.int32)
        self.bundles.append((place, bundle))
        self._cost.append(sum(float(self._setting.cost[column]) * count for column, count in taken.items()))
        self._at.append(np.append(used, len(linked.rows) + place).astype(np.int32))
        self._value.append(np.append(sums[used], 1.0))

    def _served(self, work: int, bundle: Bundle) -> dict[int, float]:
        """How far the bundle serves each part of its work."""
        options, linked = self._model.options, self._linked
        served: dict[int, float] = {}
        demand, least = int(linked.demand[work]), int(linked.least[work])
        if demand >= 0:
            served[demand] = min(1.0, sum(options[option].step * count for option, count in bundle))
        if least >= 0:
            ask = self._model.problem.works[work]
            wanted = getattr(ask, "min_replicas", 1)
            served[least] = min(1.0, sum(count for _, count in bundle) / wanted)
        return served

    def solve(self, meter: Meter) -> Relaxed | None:
        """The linear optimum over what was added so far; duals of the linking rows come first."""
        setting, linked = self._setting, self._linked
        rest, starts, at, values, own = self._rest_matrix()
        count, services = len(self.bundles), len(linked.bundled)
        short = np.flatnonzero(setting.row_lower[linked.rows] > 0).astype(np.int32)
        sizes = [*(len(each) for each in self._at), *([1] * len(short))]
        linear = Linear(
            cost=np.concatenate((setting.cost[rest], self._cost, np.full(len(short), self._short))),
            offset=setting.offset,
            upper=np.concatenate((setting.upper[rest], np.full(count + len(short), INF))),
            row_lower=np.concatenate((setting.row_lower[linked.rows], np.ones(services), setting.row_lower[own])),
            row_upper=np.concatenate((setting.row_upper[linked.rows], np.ones(services), setting.row_upper[own])),
            starts=np.concatenate((starts, starts[-1] + np.cumsum(sizes))).astype(np.int32),
            rows_at=np.concatenate((at, *self._at, short)).astype(np.int32),
            values=np.concatenate((values, *self._value, np.ones(len(short)))),
        )
        answer = relax(linear, meter)
        return None if answer is None else replace(answer, x=answer.x[: len(rest) + count])

    def _rest_matrix(self) -> tuple[Ints, Ints, Ints, Floats, Ints]:
        """Columns that are not bundled with their entries: linking rows first, then convexity, then their own rows."""
        model, linked = self._model, self._linked
        mask = np.zeros(len(model.lower), dtype=bool)
        mask[self.rest] = True
        kept = mask[model.column_of]
        at, values = model.rows_at[kept], model.values[kept]
        own = np.unique(at[linked.place_of[at] < 0]).astype(np.int32)
        new = np.full(len(model.rows.names), -1, dtype=np.int64)
        new[linked.rows] = np.arange(len(linked.rows))
        new[own] = len(linked.rows) + len(linked.bundled) + np.arange(len(own))
        counts = np.bincount(model.column_of[kept], minlength=len(model.lower))[self.rest]
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        return self.rest, starts, new[at].astype(np.int32), values, own

    def known(self, apart: Floats) -> Floats:
        """How much dearer columns make their service, where those of any bundle here make it no dearer."""
        found = apart.copy()
        for _, bundle in self.bundles:
            for option, _ in bundle:
                found[self._columns[option]] = 0.0
        return found

    def settled(self, mixed: Floats | None) -> dict[int, Bundle]:
        """The bundle of every work that the mix gives one bundle alone."""
        chosen: dict[int, Bundle] = {}
        if mixed is not None:
            for (place, bundle), part in zip(self.bundles, mixed[len(self.rest) :], strict=False):
                if part >= 1.0 - MIXED:
                    chosen[self._linked.bundled[place]] = bundle
        return chosen


def rounded_up(model: Model, linked: Linked, relaxed: Relaxed) -> list[Bundle]:
    """What the linear programme has of each bundled service, whole."""
    counts: dict[int, dict[int, float]] = {work: {} for work in linked.bundled}
    for column in np.flatnonzero(relaxed.x[: model.choices] > MIXED):
        work, option = int(linked.works[column]), int(model.option_of[column])
        if work in counts:
            counts[work][option] = counts[work].get(option, 0.0) + float(relaxed.x[column])
    return [
        tuple(sorted((option, int(np.ceil(count - MIXED))) for option, count in counts[work].items()))
        for work in linked.bundled
    ]
