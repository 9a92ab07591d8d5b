"""Large money stages: prices first, then whole numbers by them, and a proven gap.

The linear programme's prices give each service its best bundle; a small master programme mixes bundles within what
there is and gives better prices, a few times. Services that it settles on one bundle are fixed; the rest is a small
mixed-integer programme. The bound is the best that any of the prices proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alliage.decide.solve.bundles import Bundle, Linked, columns_of, is_allowed, link, price, reduced_by, regrets
from alliage.decide.solve.counts import holds, rounded
from alliage.decide.solve.highs import Linear, Meter, Relaxed, Setting, relax, search
from alliage.decide.solve.model import INF, Floats, Ints, Model

ROUNDS_MAX: Final = 3
"""Of better prices: each proves little more than the one before."""
REPAIRS: Final = 6
OPENED: Final = 60
"""Works that one repair opens."""
ROUGH: Final = 0.5
"""The part of the gap that suffices for the first counts, which are improved anyway."""
SEARCH_SHARE: Final = 0.02
"""Of the work that is left, what one search may take."""
AIM: Final = 0.9
"""The part of the gap asked for that a repair aims at."""
MIXED: Final = 1e-6
TOP_UPS: Final = 8
"""Options beside those of the master programme that a work which is not bundled may use at first."""
SHORT: Final = 10.0
"""What the master programme pays, in worths of everything, for a floor that its bundles do not reach yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Whole counts (None: none found that keep to the floors), their cost, and what is proven."""

    x: Floats | None
    value: float
    bound: float
    duals: Floats
    """Of all rows: those of the linear programme."""


def combine(model: Model, setting: Setting, relaxed: Relaxed, meter: Meter, *, start: Floats | None) -> Combined:
    """The money stage of a large problem, from its linear optimum. `start` is what runs now, if that is allowed."""
    linked = link(model)
    lp = relaxed.duals[linked.rows]
    priced = price(model, setting, linked, lp, with_bound=True, with_bundles=True)
    proof = _Proof(bound=max(relaxed.value, priced.bound), duals=lp, each=priced.each)
    best = _Best(x=start, value=INF if start is None else float(setting.cost @ start) + setting.offset)
    if gap_of(best.value, proof.bound) <= meter.budget.gap:
        return Combined(x=best.x, value=best.value, bound=proof.bound, duals=relaxed.duals)
    master = _Master(model, setting, linked)
    master.add(priced.bundles)
    master.add(_rounded_up(model, linked, relaxed))
    mixed, duals = None, lp
    for turn in range(ROUNDS_MAX):
        answer = master.solve(meter)
        if answer is None:
            break
        mixed, duals = answer.x, answer.duals[: len(linked.rows)]
        at = duals if turn else (duals + lp) / 2
        more = price(model, setting, linked, at, with_bound=True, with_bundles=True)
        if more.bound > proof.bound:
            proof = _Proof(bound=more.bound, duals=at, each=more.each)
        if not master.add(more.bundles):
            break
    narrow = setting if mixed is None else _narrowed(model, setting, linked, master.rest, mixed, duals)
    best = _first(model, (narrow, setting), linked, master.settled(mixed), proof, meter, best)
    best = _improved(model, setting, linked, proof, meter, best)
    known = np.zeros(len(relaxed.duals))
    known[linked.rows] = proof.duals
    return Combined(x=best.x, value=best.value, bound=proof.bound, duals=known)


def mend(  # noqa: PLR0917 - a plan, what it breaks and what is proven
    model: Model, setting: Setting, x: Floats, works: frozenset[int], bound: float, meter: Meter
) -> Floats | None:
    """Counts that keep to the setting, from some that do not, with only these works moved; None where that is no help."""
    linked = link(model)
    is_open = np.zeros(len(model.problem.works), dtype=bool)
    is_open[list(works)] = True
    lower, upper = setting.lower.copy(), setting.upper.copy()
    shut = np.flatnonzero(~is_open[linked.works])
    lower[shut] = upper[shut] = x[shut]
    gap = meter.budget.gap
    target = bound / (1.0 - AIM * gap) if bound > 0 else None
    limited = replace(setting, lower=lower, upper=upper)
    found = search(model, limited, meter, gap=gap * ROUGH, target=target, share=SEARCH_SHARE)
    if found.x is None:
        return None
    whole = rounded(model, found.x)
    return whole if holds(model, whole, setting) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """The best bound, the prices of the linking rows that prove it, and each work's part in it."""

    bound: float
    duals: Floats
    each: Floats


def _rounded_up(model: Model, linked: Linked, relaxed: Relaxed) -> list[Bundle]:
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


def _narrowed(  # noqa: PLR0917 - the master programme's answer and where it is
    model: Model, setting: Setting, linked: Linked, rest: Ints, mixed: Floats, duals: Floats
) -> Setting:
    """Works that are not bundled keep what the master programme has of them, give or take one, and some that top up."""
    lower, upper = setting.lower.copy(), setting.upper.copy()
    choices = rest[rest < model.choices]
    x = mixed[: len(choices)]
    prices = reduced_by(model, setting, linked, duals)
    per_step = prices[choices] / np.maximum(linked.steps[choices], 1e-9)
    order = np.lexsort((per_step, linked.works[choices]))
    seen: dict[int, int] = {}
    for place in order.tolist():
        column, work = int(choices[place]), int(linked.works[choices[place]])
        seen[work] = seen.get(work, 0) + 1
        if x[place] > MIXED:
            lower[column] = max(lower[column], np.floor(x[place] + MIXED) - 1)
            upper[column] = min(upper[column], np.ceil(x[place] - MIXED) + 1)
        elif seen[work] <= TOP_UPS:
            upper[column] = max(lower[column], min(upper[column], 2.0))
        else:
            upper[column] = lower[column]
    return replace(setting, lower=lower, upper=upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    x: Floats | None
    value: float


def gap_of(value: float, bound: float) -> float:
    """(value - bound) / value; 0 where both are nothing."""
    if value == INF:
        return INF
    return max(0.0, value - bound) / max(abs(value), 1e-9) if value > bound else 0.0


class _Master:
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

    def settled(self, mixed: Floats | None) -> tuple[set[int], dict[int, Bundle]]:
        """Works that are open still (mixed, or never bundled), and the bundle of every other."""
        chosen: dict[int, Bundle] = {}
        works = self._linked.bundled
        if mixed is not None:
            for (place, bundle), part in zip(self.bundles, mixed[len(self.rest) :], strict=False):
                if part >= 1.0 - MIXED:
                    chosen[works[place]] = bundle
        everyone = {option.work for option in self._model.options}
        return everyone - set(chosen), chosen


def _first(  # noqa: PLR0917 - what was settled, what is proven, and what there is already
    model: Model,
    settings: tuple[Setting, Setting],
    linked: Linked,
    settled: tuple[set[int], dict[int, Bundle]],
    proof: _Proof,
    meter: Meter,
    best: _Best,
) -> _Best:
    """Whole counts with what the master programme settled; with half of that where it cannot be, then with nothing."""
    narrow, setting = settings
    columns: list[list[int]] = [[] for _ in model.options]
    for column, option in enumerate(model.option_of.tolist()):
        columns[option].append(column)
    _, fixed = settled
    for limits in (narrow, setting):
        limited = fix(model, limits, linked, fixed, columns)
        best = _searched(model, limited, setting, proof, meter, best, own=ROUGH)
        if best.x is not None or meter.is_spent:
            break
        fixed = dict(sorted(fixed.items())[::2])
    return best


def _improved(  # noqa: PLR0917 - as above
    model: Model, setting: Setting, linked: Linked, proof: _Proof, meter: Meter, best: _Best
) -> _Best:
    """Open the works that pay most beyond the least they could, keep the rest, and search again; a few times."""
    opened: set[int] = set()
    for _ in range(REPAIRS):
        if best.x is None or gap_of(best.value, proof.bound) <= meter.budget.gap or meter.is_spent:
            break
        regret = regrets(model, setting, linked, proof.duals, proof.each, best.x)
        ordered = [work for work in np.argsort(-regret, kind="stable").tolist() if work not in opened]
        chosen = ordered[:OPENED]
        opened |= set(chosen[: OPENED // 2])
        is_open = np.zeros(len(regret), dtype=bool)
        is_open[chosen] = True
        lower, upper = setting.lower.copy(), setting.upper.copy()
        shut = np.flatnonzero(~is_open[linked.works])
        lower[shut] = upper[shut] = best.x[shut]
        best = _searched(model, replace(setting, lower=lower, upper=upper), setting, proof, meter, best)
    return best


def _searched(  # noqa: PLR0917 - as above
    model: Model, limited: Setting, setting: Setting, proof: _Proof, meter: Meter, best: _Best, *, own: float = 0.1
) -> _Best:
    gap = meter.budget.gap
    target = proof.bound / (1.0 - AIM * gap) if proof.bound > 0 else None
    begin = best.x if best.x is not None and holds(model, best.x, limited) else None
    found = search(model, limited, meter, gap=gap * own, target=target, start=begin, share=SEARCH_SHARE)
    if found.x is None:
        return best
    whole = rounded(model, found.x)
    cost = float(setting.cost @ whole) + setting.offset
    return _Best(x=whole, value=cost) if cost < best.value and holds(model, whole, setting) else best


def fix(
    model: Model, setting: Setting, linked: Linked, fixed: dict[int, Bundle], columns: Sequence[Sequence[int]]
) -> Setting:
    """The setting with these works' bundles as they are."""
    is_fixed = np.zeros(len(model.problem.works), dtype=bool)
    is_fixed[list(fixed)] = True
    lower, upper = setting.lower.copy(), setting.upper.copy()
    here = np.flatnonzero(is_fixed[linked.works])
    lower[here] = upper[here] = 0.0
    for bundle in fixed.values():
        for column, count in columns_of(model, bundle, columns).items():
            lower[column] = upper[column] = count
    return replace(setting, lower=lower, upper=upper)
