"""Weighted max-min over many jobs: the highest level that every job can have at once, with prices that prove it.

max t: sum_j r_ij x_ij >= t, sum_j x_ij <= 1, sum_i g_i x_ij <= C_j, over shares of time x. At prices p on devices the
cheapest way to give every job one level is a pass over the jobs, and L(p) = C p + max_t (t - sum_i cost_i(t, p)) bounds
the answer from above. Each pass also gives a point (t, devices used); the best mix of all points so far, a programme of
as many rows as kinds, is a true answer from below and says which prices to try next (Dantzig and Wolfe), half-way back to
the best so far (Wentges).
"""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels
from alliage.errors import BadInput

LEVELS = "alliage.decide.sharing.levels"
PASSES = 300
HALVINGS = 40
SMOOTHING = 0.7
NOTHING = 1e-12  # of the best rate: the level where a job cannot have any


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxMin:
    """Every job gets at least `least` from `shares` of time; nothing gives all more than `bound`."""

    shares: NDArray[np.float64]
    least: float
    bound: float
    prices: NDArray[np.float64]
    """By kind: how much the level would rise with one more device."""
    passes: int

    @property
    def gap(self) -> float:
        """How far the answer may be from the best, as a part of it."""
        return (self.bound - self.least) / self.bound if self.bound > 0.0 else 0.0


def level_jobs(
    rates: NDArray[np.float64],
    gangs: NDArray[np.int64],
    devices: NDArray[np.int64],
    *,
    gap: float = 1e-4,
    passes: int = PASSES,
    compiled: bool = True,
) -> MaxMin:
    """Level jobs x kinds of `rates` (divide a job's by its weight; 0 where it cannot run) to a proven `gap`.

    At most `passes` passes over the jobs; the answer's own `gap` says how far it came. BadInput: a job that runs nowhere.
    """
    if rates.shape != (len(gangs), len(devices)) or not len(gangs):
        raise BadInput(f"rates of shape {rates.shape} for {len(gangs)} jobs and {len(devices)} kinds")
    if not (np.isfinite(rates).all() and (rates >= 0.0).all() and (rates.max(axis=1) > 0.0).all()):
        raise BadInput("a job has a negative or infinite rate, or runs on no kind", remedy="leave it out")
    pass_over = _Pass(rates, gangs, devices, compiled=compiled)
    mix = _Mix(devices, float(gangs.sum()))
    tried = [np.full(len(devices), 0.5 / max(float(devices.sum()), 1.0))]
    best, bound, levels, done = tried[0], np.inf, list[float](), 0
    while done < passes:
        upper, level, usage = pass_over.look(tried[-1])
        done += 1
        levels.append(level)
        mix.add(level, usage)
        if upper < bound:
            bound, best = upper, tried[-1]
        least, prices = mix.solve()
        if bound - least <= gap * bound + NOTHING * pass_over.top:
            break
        tried.append(SMOOTHING * best + (1.0 - SMOOTHING) * prices)
    shares = pass_over.blend(mix.parts(), tried, levels)
    reached = float((rates * shares).sum(axis=1).min())
    return MaxMin(shares=shares, least=reached, bound=float(bound), prices=best, passes=done)


class _Pass:
    """Passes over all jobs at given prices; holds the work space."""

    def __init__(
        self, rates: NDArray[np.float64], gangs: NDArray[np.int64], devices: NDArray[np.int64], *, compiled: bool
    ) -> None:
        jobs, kinds = rates.shape
        self._rates, self._gangs, self._devices = rates, gangs, devices
        self._run = kernels(LEVELS, compiled=compiled)
        self._orders = np.argsort(rates, axis=1, kind="stable")
        self.top = float(rates.max(axis=1).min())
        self._corners = np.empty((jobs, kinds + 1), dtype=np.int64)
        self._levels, self._costs, self._slopes = (np.empty((jobs, kinds + 1)) for _ in range(3))
        self._counts = np.empty(jobs, dtype=np.int64)
        self._shares, self._usage = np.empty((jobs, kinds)), np.empty(kinds)

    def look(self, prices: NDArray[np.float64]) -> tuple[float, float, NDArray[np.float64]]:
        """The upper bound at these prices, the level that is worth its cost there, and the devices it uses."""
        self._build(prices)
        low, high, gain = self._run.find_level(self._levels, self._slopes, self._counts, self.top, HALVINGS)
        cost = self._spend(low)
        upper = float(self._devices @ prices) + low - cost + gain * (high - low)
        return upper, low, self._usage.copy()

    def blend(
        self, parts: NDArray[np.float64], tried: list[NDArray[np.float64]], levels: list[float]
    ) -> NDArray[np.float64]:
        """The mix of the passes, each made again."""
        total = np.zeros(self._rates.shape)
        for part, prices, level in zip(parts, tried, levels, strict=False):
            if part > 0.0:
                self._build(prices)
                self._spend(level)
                total += part * self._shares
        return total

    def _build(self, prices: NDArray[np.float64]) -> None:
        self._run.build_hulls(
            self._rates, self._orders, self._gangs, prices,
            self._corners, self._levels, self._costs, self._slopes, self._counts,
        )  # fmt: skip

    def _spend(self, level: float) -> float:
        return float(
            self._run.spend(
                self._corners, self._levels, self._costs, self._counts, self._gangs, level, self._shares, self._usage
            )
        )


class _Mix:
    """The best mix of points (level, devices used) within the devices there are: a small linear programme that grows."""

    def __init__(self, devices: NDArray[np.int64], scale: float) -> None:
        self._devices, self._scale, kinds = devices, scale, len(devices)
        self._model = highspy.Highs()  # type: ignore[no-untyped-call]
        self._model.setOptionValue("output_flag", False)
        self._model.setOptionValue("threads", 1)
        self._model.changeObjectiveSense(highspy.ObjSense.kMaximize)
        none = np.empty(0, dtype=np.int32)
        for _ in range(kinds):
            self._model.addRow(-highspy.kHighsInf, 0.0, 0, none, np.empty(0))
        self._model.addRow(1.0, 1.0, 0, none, np.empty(0))
        self._rows = np.arange(kinds + 1, dtype=np.int32)
        self.add(0.0, np.zeros(kinds))

    def add(self, level: float, usage: NDArray[np.float64]) -> None:
        """One more point."""
        entries = np.append((usage - self._devices) / self._scale, 1.0)
        self._model.addCol(level, 0.0, highspy.kHighsInf, len(entries), self._rows, entries)

    def solve(self) -> tuple[float, NDArray[np.float64]]:
        """The level of the best mix, and what a device of each kind is worth in it."""
        self._model.run()
        duals = np.array(self._model.getSolution().row_dual)[:-1]
        return float(self._model.getObjectiveValue()), np.abs(duals) / self._scale

    def parts(self) -> NDArray[np.float64]:
        """Each point's part in the last mix, without the empty one that it began with."""
        parts: NDArray[np.float64] = np.clip(np.array(self._model.getSolution().col_value)[1:], 0.0, 1.0)
        return parts
