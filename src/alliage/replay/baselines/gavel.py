"""Baseline: Gavel's heterogeneity-aware least-attained-service policy (Narayanan et al., OSDI 2020), from its formulas.

Every 1920 s in which jobs came or went: max t with t <= g_i sum_j (s_ij / mean_j s_i) x_ij, sum_j x_ij <= 1 and
sum_i g_i x_ij <= C_j. Between, each round serves who is furthest below x. The paper solved with ECOS, this with HiGHS's
interior point without crossover, which like ECOS ends inside the face of optima and not in a corner. `fill` adds that
much of the mean of the right-hand sides to the objective, a term Gavel lacks.
"""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import WAITS, Jobs

RESOLVE_S = 1920.0
HEAD_START_S = 180.0
"""Half a round: what every job is taken to have run on every kind when times are counted anew."""
FILL = 0.01


class GavelSharer:
    """Gavel over `count` jobs, numbered from 0."""

    def __init__(self, devices: NDArray[np.int64], *, count: int, fill: float = 0.0) -> None:
        shape = (count, len(devices))
        self._devices, self._fill = devices, fill
        self._shares, self._deficits = np.zeros(shape), np.zeros(shape)
        self._times = np.full(shape, HEAD_START_S)
        self._totals_s = np.zeros(len(devices))
        self._planned = np.empty(0, dtype=np.int64)
        self._since_s = -np.inf
        self._known = np.zeros(count, dtype=np.bool_)

    def decide(self, jobs: Jobs, ids: NDArray[np.int64], now_s: float) -> NDArray[np.int64]:
        """One round: the plan of shares is renewed when it is due, then kinds are filled in turn."""
        if now_s - self._since_s >= RESOLVE_S and not np.array_equal(ids, self._planned):
            self._replan(jobs, ids, now_s)
        kinds = np.full(len(ids), WAITS, dtype=np.int64)
        priority = self._shares[ids] / (self._times[ids] / np.maximum(self._totals_s, 1e-9))
        waits = ~self._known[ids]
        for kind, devices in enumerate(self._devices):
            free = int(devices)
            order = np.lexsort((-self._shares[ids, kind], -self._deficits[ids, kind], -priority[:, kind]))
            for job in order[~waits[order] & (kinds[order] == WAITS) & (jobs.speeds[order, kind] > 0.0)]:
                if jobs.gangs[job] <= free:
                    kinds[job] = kind
                    free -= int(jobs.gangs[job])
        return kinds

    def account(self, ids: NDArray[np.int64], kinds: NDArray[np.int64], ran_s: NDArray[np.float64]) -> None:
        """Count the time each job ran on its kind."""
        runs = kinds != WAITS
        self._times[ids[runs], kinds[runs]] += ran_s[runs]
        np.add.at(self._totals_s, kinds[runs], ran_s[runs])

    def _replan(self, jobs: Jobs, ids: NDArray[np.int64], now_s: float) -> None:
        """Carry over what each job is owed, count times anew, and solve for new shares."""
        old = ids[self._known[ids]]
        if len(old):
            owed = self._shares[old] * (now_s - self._since_s) - (self._times[old] - HEAD_START_S)
            self._deficits[old] += owed
        self._known[ids] = True
        self._times[ids] = HEAD_START_S
        self._totals_s = np.full(len(self._devices), HEAD_START_S * len(ids))
        self._shares[ids] = solve_max_min(jobs.gangs, jobs.speeds, self._devices, fill=self._fill).shares
        self._planned, self._since_s = ids.copy(), now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxMin:
    """Shares of time by job and kind, and the least normalised throughput that they give."""

    shares: NDArray[np.float64]
    least: float


def solve_max_min(
    gangs: NDArray[np.int64],
    speeds: NDArray[np.float64],
    devices: NDArray[np.int64],
    *,
    fill: float = 0.0,
    solver: str = "ipm",
) -> MaxMin:
    """Gavel's programme by HiGHS: a share of time for each job and kind."""
    jobs, kinds = speeds.shape
    gains = gangs[:, np.newaxis] * speeds / speeds.mean(axis=1)[:, np.newaxis]
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("solver", solver), ("run_crossover", "off"), ("threads", 1)):
        model.setOptionValue(option, value)
    model.passModel(_write_programme(gangs, gains, devices, fill))
    model.run()
    solution = np.array(model.getSolution().col_value)
    shares = np.clip(solution[:-1].reshape(jobs, kinds), 0.0, 1.0)
    return MaxMin(shares=shares, least=float((gains * shares).sum(axis=1).min()))


def _write_programme(
    gangs: NDArray[np.int64], gains: NDArray[np.float64], devices: NDArray[np.int64], fill: float
) -> highspy.HighsLp:
    """Columns: x by job and kind, then t. Rows: t below each job's gain, each job's time, each kind's devices."""
    jobs, kinds = gains.shape
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = jobs * kinds + 1, 2 * jobs + kinds
    programme.sense_ = highspy.ObjSense.kMaximize
    programme.col_cost_ = np.append(fill * gains.reshape(-1) / jobs, 1.0)
    programme.col_lower_ = np.zeros(jobs * kinds + 1)
    programme.col_upper_ = np.append((gains > 0.0).reshape(-1).astype(float), highspy.kHighsInf)
    programme.row_lower_ = np.full(2 * jobs + kinds, -highspy.kHighsInf)
    programme.row_upper_ = np.concatenate((np.zeros(jobs), np.ones(jobs), devices.astype(float)))
    job = np.repeat(np.arange(jobs), kinds)
    kind = np.tile(np.arange(kinds), jobs)
    rows = np.column_stack((job, jobs + job, 2 * jobs + kind)).reshape(-1)
    entries = np.column_stack((-gains.reshape(-1), np.ones(jobs * kinds), gangs[job].astype(float))).reshape(-1)
    matrix = programme.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_ = np.append(np.arange(jobs * kinds + 1) * 3, 3 * jobs * kinds + jobs).astype(np.int32)
    matrix.index_ = np.concatenate((rows, np.arange(jobs))).astype(np.int32)
    matrix.value_ = np.concatenate((entries, np.ones(jobs)))
    return programme
