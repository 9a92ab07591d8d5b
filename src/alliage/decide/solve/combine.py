"""Large money stages: prices first, then whole numbers by them, and a proven gap.

The linear programme's prices give each service its best bundle; a master programme mixes bundles within what there is
and gives better prices, a few times. Services that it settles on one bundle are fixed; the rest is a small
mixed-integer programme (`whole.py`). The bound is the best that any of the prices proved.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from alliage.decide.solve.bundles import extras, price
from alliage.decide.solve.highs import Relaxed
from alliage.decide.solve.linking import Linked, link
from alliage.decide.solve.master import Master, rounded_up
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import INF, Floats
from alliage.decide.solve.setting import Setting
from alliage.decide.solve.whole import Best, Proof, Search, adapted, gap_of, improved, settled

ROUNDS_MAX: Final = 8
CLOSE: Final = 0.25
"""Prices are good enough when the master programme costs no more than so much of the gap beyond their bound."""
STAY: Final = 0.8
STAY_STEP: Final = 0.1
STAY_LEAST: Final = 0.5
"""New prices stay near the best so far, at first more than later: those of a master programme of few bundles are wild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Whole counts (None: none found that keep to the floors), their cost, and what is proven."""

    x: Floats | None
    value: float
    bound: float
    duals: Floats
    """Of all rows: those of the linking rows that prove the bound."""


def combine(model: Model, setting: Setting, relaxed: Relaxed, meter: Meter, *, start: Floats | None) -> Combined:
    """The money stage of a large problem, from its linear optimum. `start` is what runs now, if that is allowed.

    What runs now with only those services changed that it does not suit is tried first: it is kept where it proves enough.
    """
    linked = link(model)
    lp = relaxed.duals[linked.rows]
    priced = price(model, setting, linked, lp, is_covering=True)
    proof = Proof(bound=max(relaxed.value, priced.bound), duals=lp, each=priced.each)
    best = Best(x=start, value=INF if start is None else float(setting.cost @ start) + setting.offset)
    if gap_of(best.value, proof.bound) > meter.budget.gap:
        apart = extras(model, setting, linked, lp)
        near = Search(model=model, setting=setting, linked=linked, proof=proof, apart=apart)
        best = adapted(near, meter, best)
    if gap_of(best.value, proof.bound) > meter.budget.gap:
        master = Master(model, setting, linked)
        master.add(priced.bundles)
        master.add(rounded_up(model, linked, relaxed))
        mixed, proof = _priced(model, setting, linked, master, proof, meter, best)
        if gap_of(best.value, proof.bound) > meter.budget.gap:
            apart = extras(model, setting, linked, proof.duals)
            search = Search(model=model, setting=setting, linked=linked, proof=proof, apart=master.known(apart))
            best = settled(search, master.settled(mixed), meter, best)
            best = improved(search, meter, best)
    known = np.zeros(len(relaxed.duals))
    known[linked.rows] = proof.duals
    return Combined(x=best.x, value=best.value, bound=proof.bound, duals=known)


def _priced(  # noqa: PLR0917 - the parts of the method
    model: Model, setting: Setting, linked: Linked, master: Master, proof: Proof, meter: Meter, best: Best
) -> tuple[Floats | None, Proof]:
    """Better prices, between the best so far and the master programme's; and how that mixes its bundles in the end.

    Prices that prove enough of the best counts so far are good enough.
    """
    mixed = None
    for turn in range(ROUNDS_MAX):
        answer = master.solve(meter)
        if answer is None:
            break
        mixed = answer.x
        if gap_of(answer.value, proof.bound) <= CLOSE * meter.budget.gap:
            break
        if gap_of(best.value, proof.bound) <= meter.budget.gap:
            break
        stay = max(STAY_LEAST, STAY - STAY_STEP * turn)
        at = stay * proof.duals + (1.0 - stay) * answer.duals[: len(linked.rows)]
        more = price(model, setting, linked, at)
        if more.bound > proof.bound:
            proof = Proof(bound=more.bound, duals=at, each=more.each)
        if not master.add(more.bundles):
            break
    return mixed, proof
