"""Bundles: all replicas of one service chosen at once, the cheapest at given prices; and the bound that this proves.

With devices, budgets and floors priced instead of limited every service decides alone, by a covering knapsack in whole
replicas: that proves a tighter bound than the linear programme's (a third of a replica is not to be had).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alliage.decide.solve.knapsacks import cover, extra, read, tables
from alliage.decide.solve.limited import cover_limited
from alliage.decide.solve.linking import Linked, limits, reduced_by, signed
from alliage.decide.solve.model import Model
from alliage.decide.solve.options import Option
from alliage.decide.solve.problem import JobAsk, ServiceAsk, Spread
from alliage.decide.solve.rows import Floats
from alliage.decide.solve.setting import Setting

HALVINGS: Final = 6
TOGETHER: Final = 32
"""Services with limits that bind, solved together."""

Bundle = tuple[tuple[int, int], ...]
"""(option, count), in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What prices prove and propose: a lower bound of the objective, and a bundle for each work of `bundled`."""

    bound: float
    bundles: tuple[Bundle, ...]
    each: Floats
    """Of each work, the least it adds to the objective at these prices."""


def price(model: Model, setting: Setting, linked: Linked, duals: Floats, *, is_covering: bool = False) -> Priced:
    """The knapsacks at these prices (duals of the linking rows, as the solver signs them).

    Its bundles are those of the proof, which may fall short of the demand by what the grid rounds; with `is_covering`
    bundles that do not.
    """
    duals = signed(setting, linked, duals)
    reduced = reduced_by(model, setting, linked, duals)
    each = _alone(model, linked, reduced)
    chosen = _chosen(model, linked, reduced, linked.bundled, is_covering=is_covering)
    _uncrowd(model, linked, reduced, chosen, is_covering=is_covering)
    services = np.array(linked.bundled, dtype=np.int64)
    each[services] = np.maximum(each[services], [chosen.best[work] for work in linked.bundled])
    np.add.at(each, linked.works, np.minimum(0.0, reduced[: model.choices]) * model.upper[: model.choices])
    bound = setting.offset + float(duals @ limits(setting, linked, duals)) + float(each.sum())
    bundles = tuple(_bundle(model, linked, reduced, work, chosen.counts[work]) for work in linked.bundled)
    return Priced(bound=bound, bundles=bundles, each=each)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Of each work the least that it can add, and columns with their counts."""

    best: dict[int, float]
    counts: dict[int, dict[int, int]]


def _chosen(model: Model, linked: Linked, reduced: Floats, works: Sequence[int], *, is_covering: bool) -> _Chosen:
    """By the knapsack that knows no limits; where that has more of a column than may be, by the one that does."""
    best: dict[int, float] = {}
    counts: dict[int, dict[int, int]] = {}
    tight: list[int] = []
    for table in tables(model, linked, reduced, works):
        proof = cover(table, up=True)
        best |= dict(zip(table.works, proof.best.tolist(), strict=True))
        covering = cover(table, up=False) if is_covering else proof
        for place, work in enumerate(table.works):
            counts[work] = read(covering, place)
            if _is_tight(model, read(proof, place)) or _is_tight(model, counts[work]):
                tight.append(work)
    for group in (tight[start : start + TOGETHER] for start in range(0, len(tight), TOGETHER)):
        limited = cover_limited(model, linked, reduced, group, up=True)
        for work, least in zip(group, limited.best.tolist(), strict=True):
            best[work] = max(best[work], least)
        if is_covering:
            limited = cover_limited(model, linked, reduced, group, up=False)
        counts |= dict(zip(group, limited.counts, strict=True))
    return _Chosen(best=best, counts=counts)


def _uncrowd(model: Model, linked: Linked, reduced: Floats, chosen: _Chosen, *, is_covering: bool) -> None:
    """Services that would have more replicas than they may pay for each of them, as little as it takes."""
    most = {work: _most(model, work) for work, counts in chosen.counts.items()}
    crowded = [work for work, counts in chosen.counts.items() if sum(counts.values()) > most[work]]
    if not crowded:
        return
    low = dict.fromkeys(crowded, 0.0)
    high = {work: float(np.abs(reduced[linked.demand[work]])) for work in crowded}
    for _ in range(HALVINGS):
        paid = reduced.copy()
        fee = {work: (low[work] * high[work]) ** 0.5 if low[work] else high[work] / 64 for work in crowded}
        for work in crowded:
            paid[linked.first[work] : linked.first[work + 1]] += fee[work]
        tried = _chosen(model, linked, paid, crowded, is_covering=is_covering)
        for work in crowded:
            chosen.best[work] = max(chosen.best[work], tried.best[work] - fee[work] * most[work])
            if sum(tried.counts[work].values()) > most[work]:
                low[work] = fee[work]
            else:
                high[work] = fee[work]
                chosen.counts[work] = tried.counts[work]


def _most(model: Model, work: int) -> int:
    ask = model.problem.works[work]
    return ask.max_replicas if isinstance(ask, ServiceAsk) else ask.count


def _is_tight(model: Model, counts: dict[int, int]) -> bool:
    """Whether more of a column is had than may be."""
    return any(count > model.upper[column] for column, count in counts.items())


def extras(model: Model, setting: Setting, linked: Linked, duals: Floats) -> Floats:
    """About how much dearer each choice column makes its service's best bundle; infinite for works without bundles."""
    reduced = reduced_by(model, setting, linked, signed(setting, linked, duals))
    costs = np.maximum(reduced[: model.choices], 0.0)
    found = np.full(model.choices, np.inf)
    for table in tables(model, linked, reduced, linked.bundled, is_coarse=True):
        columns = [np.arange(linked.first[work], linked.first[work + 1], dtype=np.int32) for work in table.works]
        for mine, apart in zip(columns, extra(cover(table, up=True), columns, costs, linked.steps), strict=True):
            found[mine] = apart
    return found


def _alone(model: Model, linked: Linked, reduced: Floats) -> Floats:
    """For each work the least it can add to the objective, replicas divisible, beside what columns gain by themselves."""
    works = len(model.problem.works)
    demand = np.where(linked.demand >= 0, -reduced[linked.demand], 0.0)
    ratio = np.full(works, np.inf)
    known = linked.steps > 0
    np.minimum.at(ratio, linked.works[known], reduced[: model.choices][known] / linked.steps[known])
    gain = -np.maximum(0.0, demand - np.maximum(0.0, ratio))
    for work, column in enumerate(linked.least):
        if column >= 0:
            gain[work] += min(0.0, float(reduced[column]))
    return np.asarray(gain)


def _bundle(model: Model, linked: Linked, reduced: Floats, work: int, columns: dict[int, int]) -> Bundle:
    """What the knapsack came to, without what its grid added, and within the service's own limits."""
    counts: dict[int, int] = {}
    for column, count in columns.items():
        option = int(model.option_of[column])
        counts[option] = counts.get(option, 0) + count
    ask = model.problem.works[work]
    if isinstance(ask, JobAsk):
        return ()
    bundle = _trimmed(model, ask, counts)
    return bundle if is_allowed(model, bundle) else _refilled(model, linked, reduced, work, ask, bundle)


def _trimmed(model: Model, ask: ServiceAsk, counts: dict[int, int]) -> Bundle:
    """Without replicas that the rest serves everything without."""
    served = sum(model.options[option].step * count for option, count in counts.items())
    for option in sorted(counts, key=lambda each: model.options[each].step):
        step = model.options[option].step
        while counts[option] and served - step >= 1.0 - 1e-12 and sum(counts.values()) > ask.min_replicas:
            counts[option] -= 1
            served -= step
    return tuple(sorted((option, count) for option, count in counts.items() if count))


def _refilled(  # noqa: PLR0917 - a bundle, and what it is measured by
    model: Model, linked: Linked, reduced: Floats, work: int, ask: ServiceAsk, bundle: Bundle
) -> Bundle:
    """As much of a bundle as its service may have, then whatever serves the rest for the least, one at a time."""
    counts: dict[int, int] = {}
    for option, count in bundle:
        room = _room(model, ask, counts, option)
        if room > 0:
            counts[option] = min(count, room)
    columns = range(linked.first[work], linked.first[work + 1])
    left = 1.0 - sum(model.options[option].step * count for option, count in counts.items())
    while left > 1e-9:
        best, cheapest = -1, np.inf
        for column in columns:
            option = int(model.option_of[column])
            step = min(left, model.options[option].step)
            if step > 0 and reduced[column] / step < cheapest and _room(model, ask, counts, option) > 0:
                best, cheapest = option, float(reduced[column] / step)
        if best < 0:
            break
        counts[best] = counts.get(best, 0) + 1
        left -= model.options[best].step
    return tuple(sorted(counts.items()))


def _room(model: Model, ask: ServiceAsk, counts: dict[int, int], option: int) -> int:
    """How many more of an option the service's own limits let it have."""
    here: Option = model.options[option]
    room = min(here.limit - counts.get(option, 0), ask.max_replicas - sum(counts.values()))
    if ask.spread is Spread.NODES:
        there = sum(count for each, count in counts.items() if model.options[each].pool == here.pool)
        room = min(room, model.problem.pools[here.pool].nodes - there)
    return room


def is_allowed(model: Model, bundle: Bundle) -> bool:
    """Whether a service's own limits let it have this bundle."""
    if not bundle:
        return True
    ask = model.problem.works[model.options[bundle[0][0]].work]
    if isinstance(ask, JobAsk):
        return False
    counts = dict(bundle)
    return all(_room(model, ask, counts, option) >= 0 for option in counts)


def columns_of(model: Model, bundle: Bundle, columns: Sequence[Sequence[int]]) -> dict[int, float]:
    """The counts of choice columns: what runs stays first, the rest are starts."""
    found: dict[int, float] = {}
    for option, count in bundle:
        left = float(count)
        for column in columns[option]:
            taken = min(left, float(model.upper[column]))
            if taken > 0:
                found[column] = taken
                left -= taken
    return found
