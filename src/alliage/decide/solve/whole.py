"""From prices to whole numbers: small mixed-integer programmes in which only some works, and only near options, move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alliage.decide.solve.bundles import Bundle, columns_of
from alliage.decide.solve.counts import by_option, holds, now_running, rounded
from alliage.decide.solve.highs import search
from alliage.decide.solve.linking import Linked, regrets
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.problem import JobAsk
from alliage.decide.solve.rows import INF, Floats
from alliage.decide.solve.setting import Setting

REPAIRS: Final = 8
OPENED: Final = 40
"""Works that one repair opens."""
ROUGH: Final = 0.5
"""The part of the gap that suffices for the first counts, which are improved anyway."""
FINE: Final = 0.1
SEARCH_SHARE: Final = 0.02
"""Of the work that is left, what one search may take."""
AIM: Final = 0.9
"""The part of the gap asked for that a search aims at."""
OPENED_PART: Final = 0.5
"""What runs now is no beginning for a plan that has to change more of the works than this."""
WHOLE: Final = 1e-6
"""What may lack of all for a work to count as served in full."""
NEAR: Final = 0.1
"""An option is searched when it makes its service dearer by no more than this part of the whole gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The best bound, the prices of the linking rows that prove it, and each work's part in it."""

    bound: float
    duals: Floats
    each: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best whole counts so far (None: none), and what they cost."""

    x: Floats | None
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched, what is proven of it, and how much dearer each choice column makes its service (`apart`)."""

    model: Model
    setting: Setting
    linked: Linked
    proof: Proof
    apart: Floats

    def far(self, meter: Meter) -> NDArray[np.bool_]:
        """Choice columns that are not worth a look."""
        return np.isfinite(self.apart) & (self.apart > NEAR * meter.budget.gap * self.proof.bound)


def gap_of(value: float, bound: float) -> float:
    """(value - bound) / value; 0 where both are nothing."""
    if value == INF:
        return INF
    return max(0.0, value - bound) / max(abs(value), 1e-9) if value > bound else 0.0


def settled(what: Search, fixed: Mapping[int, Bundle], meter: Meter, best: Best) -> Best:
    """Whole counts with these bundles; with half of them where that cannot be."""
    model = what.model
    columns: list[list[int]] = [[] for _ in model.options]
    for column, option in enumerate(model.option_of.tolist()):
        columns[option].append(column)
    for _ in range(2):
        best = _searched(what, fix(model, what.setting, what.linked, fixed, columns), meter, best, own=ROUGH)
        if best.x is not None or meter.is_spent:
            break
        fixed = dict(sorted(fixed.items())[::2])
    return best


def adapted(what: Search, meter: Meter, best: Best) -> Best:
    """What runs now, with the works opened that it serves too little, or with more than it takes; where those are few."""
    running = now_running(what.model)
    works = _unsuited(what.model, running)
    if not running.any() or not works or len(works) > OPENED_PART * len(what.model.problem.works):
        return best
    return _searched(what, _opened(what, running, works, meter), meter, best, own=ROUGH)


def _unsuited(model: Model, x: Floats) -> list[int]:
    """Works that these counts do not serve in full, and those that fewer replicas would serve in full."""
    served = [0.0] * len(model.problem.works)
    least = [INF] * len(served)
    counts = [0] * len(served)
    for option, count in zip(model.options, by_option(model, x), strict=True):
        if count:
            served[option.work] += count * option.step
            least[option.work] = min(least[option.work], option.step)
            counts[option.work] += count
    found: list[int] = []
    for index, work in enumerate(model.problem.works):
        if isinstance(work, JobAsk):
            is_suited = counts[index] == work.count
        else:
            full = 1.0 - WHOLE if work.demand_rps > 0 else 0.0
            spare = counts[index] - 1 >= work.min_replicas and served[index] - least[index] >= full
            is_suited = served[index] >= full and counts[index] >= work.min_replicas and not spare
        if not is_suited:
            found.append(index)
    return found


def improved(what: Search, meter: Meter, best: Best) -> Best:
    """Open the works that pay most beyond the least they could, keep the rest, and search again; a few times."""
    opened: set[int] = set()
    for _ in range(REPAIRS):
        if best.x is None or gap_of(best.value, what.proof.bound) <= meter.budget.gap or meter.is_spent:
            break
        proof = what.proof
        regret = regrets(what.model, what.setting, what.linked, proof.duals, proof.each, best.x)
        ordered = [work for work in np.argsort(-regret, kind="stable").tolist() if work not in opened]
        chosen = ordered[:OPENED]
        opened |= set(chosen[: OPENED // 2])
        best = _searched(what, _opened(what, best.x, chosen, meter), meter, best, own=FINE)
    return best


def _opened(what: Search, x: Floats, works: Sequence[int], meter: Meter) -> Setting:
    """Only these works move, by options that are near or that they have."""
    is_open = np.zeros(len(what.model.problem.works), dtype=bool)
    is_open[list(works)] = True
    lower, upper = what.setting.lower.copy(), what.setting.upper.copy()
    choices = x[: what.model.choices]
    shut = np.flatnonzero(~is_open[what.linked.works] | (what.far(meter) & (choices == 0)))
    lower[shut] = upper[shut] = x[shut]
    return replace(what.setting, lower=lower, upper=upper)


def _searched(what: Search, limited: Setting, meter: Meter, best: Best, *, own: float) -> Best:
    gap, bound = meter.budget.gap, what.proof.bound
    target = bound / (1.0 - AIM * gap) if bound > 0 else None
    begin = best.x if best.x is not None and holds(what.model, best.x, limited) else None
    found = search(what.model, limited, meter, gap=gap * own, target=target, start=begin, share=SEARCH_SHARE)
    if found.x is None:
        return best
    whole = rounded(what.model, found.x)
    cost = float(what.setting.cost @ whole) + what.setting.offset
    return Best(x=whole, value=cost) if cost < best.value and holds(what.model, whole, what.setting) else best


def fix(
    model: Model, setting: Setting, linked: Linked, fixed: Mapping[int, Bundle], columns: Sequence[Sequence[int]]
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


def mend(  # noqa: PLR0917 - a plan, what it breaks and what is proven
    model: Model, setting: Setting, x: Floats, works: frozenset[int], bound: float, meter: Meter
) -> Floats | None:
    """Counts that keep to the setting, from some that do not, with only these works moved; None where that is no help."""
    is_open = np.zeros(len(model.problem.works), dtype=bool)
    is_open[list(works)] = True
    lower, upper = setting.lower.copy(), setting.upper.copy()
    shut = np.flatnonzero(~is_open[[model.options[option].work for option in model.option_of.tolist()]])
    lower[shut] = upper[shut] = x[shut]
    gap = meter.budget.gap
    target = bound / (1.0 - AIM * gap) if bound > 0 else None
    limited = replace(setting, lower=lower, upper=upper)
    found = search(model, limited, meter, gap=gap * FINE, target=target, share=SEARCH_SHARE)
    if found.x is None:
        return None
    whole = rounded(model, found.x)
    return whole if holds(model, whole, setting) else None
