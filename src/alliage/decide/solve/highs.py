"""The only room that knows the solver: linear and mixed-integer solves of a model, within a budget, on one thread.

highspy is loaded when the first solver is made. Work is counted in simplex iterations; a mixed-integer solve is held
to its budget by nodes and by how often it asks whether to go on, both of which are the same in every run.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from alliage.decide.solve.fixing import Small, values_of, without_fixed
from alliage.decide.solve.meter import Meter
from alliage.decide.solve.model import Model
from alliage.decide.solve.rows import Floats, Ints
from alliage.decide.solve.setting import Setting, neutral

if TYPE_CHECKING:
    import highspy

WORK_PER_NODE: Final = 50
"""Simplex iterations that one node of a search, and each time it asks whether to go on, are reckoned to take."""
TICKS_LEAST: Final = 100
NODES_LEAST: Final = 1
FEASIBLE: Final = 2
"""How the solver says that it has a solution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """A linear solution. `duals` are how much the objective falls where a row's bound gives way by one (signed)."""

    value: float
    x: Floats
    duals: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best whole-number solution (None: none found), a proven bound, and whether the search ended by itself."""

    value: float
    x: Floats | None
    bound: float
    is_done: bool
    is_infeasible: bool


class Solver:
    """One model in the solver's memory: a linear solve begins where the last one ended."""

    def __init__(self, model: Model, meter: Meter) -> None:
        self.model = model
        self._meter = meter
        self._highs = _new(meter.budget.seed)
        self._now = neutral(model)
        _pass(self._highs, model.starts, model.rows_at, values_of(model, self._now), self._now, whole=0)

    def relax(self, setting: Setting) -> Relaxed | None:
        """The linear optimum; None where there is none or the budget ended."""
        if self._meter.is_spent:
            return None
        self._change(setting)
        highs = self._highs
        _limit(highs, self._meter)
        highs.run()
        return _relaxed(highs, self._meter)

    def _change(self, setting: Setting) -> None:
        """Tell the solver what differs from the last solve."""
        highs, model, now = self._highs, self.model, self._now
        columns = np.arange(len(setting.cost), dtype=np.int32)
        highs.changeColsCost(len(columns), columns, setting.cost)
        highs.changeObjectiveOffset(setting.offset)
        highs.changeColsBounds(len(columns), columns, setting.lower, setting.upper)
        differs = (setting.row_lower != now.row_lower) | (setting.row_upper != now.row_upper)
        for row in np.flatnonzero(differs):
            highs.changeRowBounds(int(row), float(setting.row_lower[row]), float(setting.row_upper[row]))
        for place in np.flatnonzero(setting.theta != now.theta):
            highs.changeCoeff(model.rows.floors[place][1], model.theta, float(setting.theta[place]))
        self._now = setting


def search(
    model: Model,
    setting: Setting,
    meter: Meter,
    *,
    gap: float,
    target: float | None = None,
    start: Floats | None = None,
    share: float = 1.0,
) -> Found:
    """Look for whole numbers: until `gap` is proven, `target` is reached or `share` of what is left is used up."""
    if meter.is_spent:
        return Found(value=float("inf"), x=None, bound=float("-inf"), is_done=False, is_infeasible=False)
    small = without_fixed(model, setting)
    if not len(small.columns):
        value = small.setting.offset
        return Found(value=value, x=setting.lower.copy(), bound=value, is_done=True, is_infeasible=False)
    highs = _new(meter.budget.seed)
    whole = int(np.count_nonzero(small.columns < model.choices))
    _pass(highs, small.starts, small.rows_at, small.values, small.setting, whole=whole)
    allowed = max(WORK_PER_NODE, int(meter.left * share))
    _limit(highs, meter)
    highs.setOptionValue("simplex_iteration_limit", 2**31 - 1)
    highs.setOptionValue("mip_rel_gap", max(gap, 0.0))
    highs.setOptionValue("mip_abs_gap", 1e-9)
    highs.setOptionValue("mip_max_nodes", max(NODES_LEAST, allowed // WORK_PER_NODE))
    if target is not None:
        highs.setOptionValue("objective_target", target)
    _interrupt_after(highs, max(TICKS_LEAST, allowed // WORK_PER_NODE))
    if start is not None:
        begin = start[small.columns]
        highs.setSolution(len(begin), np.arange(len(begin), dtype=np.int32), begin)
    highs.run()
    return _found(highs, meter, small, setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A linear programme of its own, column-wise; all columns from 0 to 1 or as `upper` says."""

    cost: Floats
    offset: float
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    starts: Ints
    rows_at: Ints
    values: Floats


def relax(linear: Linear, meter: Meter) -> Relaxed | None:
    """Its optimum; None where there is none or the budget ended."""
    if meter.is_spent:
        return None
    highs = _new(meter.budget.seed)
    setting = Setting(
        cost=linear.cost,
        offset=linear.offset,
        lower=np.zeros(len(linear.cost)),
        upper=linear.upper,
        row_lower=linear.row_lower,
        row_upper=linear.row_upper,
        theta=np.zeros(0),
    )
    _pass(highs, linear.starts, linear.rows_at, linear.values, setting, whole=0)
    _limit(highs, meter)
    highs.run()
    return _relaxed(highs, meter)


def _relaxed(highs: "highspy.Highs", meter: Meter) -> Relaxed | None:
    meter.used += max(1, int(highs.getInfo().simplex_iteration_count))
    if highs.modelStatusToString(highs.getModelStatus()) != "Optimal":
        return None
    solution = highs.getSolution()
    return Relaxed(
        value=float(highs.getObjectiveValue()),
        x=np.array(solution.col_value, dtype=np.float64),
        duals=np.array(solution.row_dual, dtype=np.float64),
    )


def _found(highs: "highspy.Highs", meter: Meter, small: Small, setting: Setting) -> Found:
    info = highs.getInfo()
    meter.used += max(WORK_PER_NODE, int(info.simplex_iteration_count), int(info.mip_node_count))
    status = highs.modelStatusToString(highs.getModelStatus())
    x = None
    if info.primal_solution_status == FEASIBLE:
        x = setting.lower.copy()
        x[small.columns] = np.array(highs.getSolution().col_value, dtype=np.float64)
    return Found(
        value=float(info.objective_function_value) if x is not None else float("inf"),
        x=x,
        bound=float(info.mip_dual_bound),
        is_done=status in {"Optimal", "Target for objective reached", "Infeasible"},
        is_infeasible=status in {"Infeasible", "Primal infeasible or unbounded"},
    )


def _new(seed: int) -> "highspy.Highs":
    import highspy  # noqa: PLC0415 - 50 ms and NumPy, which a command that plans nothing should not pay

    highs: highspy.Highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("parallel", "off")
    highs.setOptionValue("random_seed", seed)
    return highs


def _pass(highs: "highspy.Highs", starts: Ints, rows_at: Ints, values: Floats, setting: Setting, *, whole: int) -> None:
    columns, rows = len(setting.cost), len(setting.row_lower)
    integrality = np.zeros(columns, dtype=np.int32)
    integrality[:whole] = 1
    column_wise, minimise = 1, 1
    bounds = (setting.lower, setting.upper, setting.row_lower, setting.row_upper)
    shape = (columns, rows, len(values), column_wise, minimise, setting.offset)
    highs.passModel(*shape, setting.cost, *bounds, starts, rows_at, values, integrality)


def _limit(highs: "highspy.Highs", meter: Meter) -> None:
    highs.setOptionValue("simplex_iteration_limit", min(2**31 - 1, max(1, meter.left)))
    if meter.left_s != float("inf"):
        highs.setOptionValue("time_limit", float(highs.getRunTime()) + meter.left_s)


def _interrupt_after(highs: "highspy.Highs", times: int) -> None:
    import highspy  # noqa: PLC0415 - as above

    asked = 0

    def ask(_kind: Any, _message: str, _out: Any, answer: Any, _data: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > times:
            answer.user_interrupt = True

    highs.setCallback(ask, None)
    highs.startCallback(highspy.cb.HighsCallbackType.kCallbackMipInterrupt)
