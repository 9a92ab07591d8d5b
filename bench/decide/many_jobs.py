"""A seeded generator of many jobs over many kinds of device, and the same programmes for HiGHS's interior point."""

import time
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

TYPES = 40
DEMAND_OVER_DEVICES = 5 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Jobs x kinds of normalised rates, gangs of 1 to 8, and devices for three fifths of what is asked."""

    rates: NDArray[np.float64]
    gangs: NDArray[np.int64]
    devices: NDArray[np.int64]


def draw_crowd(jobs: int, kinds: int, seed: int) -> Crowd:
    """40 types of job; kinds from slow to six times as fast, a tenth of the slower ones out of reach; noise a job."""
    draws = np.random.default_rng(seed)
    speeds = np.exp(draws.normal(0.0, 0.6, (TYPES, kinds))) * np.linspace(1.0, 6.0, kinds)
    speeds[draws.random(speeds.shape) < 0.1] = 0.0
    speeds[:, -1] = np.maximum(speeds[:, -1], 1.0)
    rates = speeds[draws.integers(0, TYPES, jobs)] * np.exp(draws.normal(0.0, 0.15, (jobs, kinds)))
    gangs = draws.choice(np.array([1, 2, 4, 8]), size=jobs, p=[0.7, 0.1, 0.15, 0.05]).astype(np.int64)
    each = int(gangs.sum() / DEMAND_OVER_DEVICES / kinds)
    return Crowd(rates=rates / rates.mean(axis=1)[:, np.newaxis], gangs=gangs, devices=np.full(kinds, each))


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What HiGHS found, and the CPU seconds it took, without writing the programme down."""

    objective: float
    cpu_s: float


def solve_max_min(crowd: Crowd) -> Solved:
    """Max t by HiGHS's interior point, one thread, no crossover."""
    jobs, kinds = crowd.rates.shape
    programme = _start(crowd, extra_rows=jobs, extra_columns=1)
    programme.col_cost_ = np.append(np.zeros(jobs * kinds), 1.0)
    job = np.repeat(np.arange(jobs), kinds)
    _fill(programme, crowd, job_rows=job, entries=-crowd.rates.reshape(-1), last=True)
    return _run(programme)


def solve_assignment(crowd: Crowd) -> Solved:
    """Max sum of rates times gangs: the programme whose duals on devices are the auction's prices."""
    programme = _start(crowd, extra_rows=0, extra_columns=0)
    programme.col_cost_ = (crowd.rates * crowd.gangs[:, np.newaxis]).reshape(-1)
    _fill(programme, crowd, job_rows=None, entries=None, last=False)
    return _run(programme)


def _start(crowd: Crowd, *, extra_rows: int, extra_columns: int) -> highspy.HighsLp:
    """Columns: shares of time by job and kind. Rows: extra ones, then each job's time, then each kind's devices."""
    jobs, kinds = crowd.rates.shape
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = jobs * kinds + extra_columns, extra_rows + jobs + kinds
    programme.sense_ = highspy.ObjSense.kMaximize
    reach = (crowd.rates > 0.0).reshape(-1).astype(float)
    programme.col_lower_ = np.zeros(programme.num_col_)
    programme.col_upper_ = np.append(reach, np.full(extra_columns, highspy.kHighsInf))
    programme.row_lower_ = np.full(programme.num_row_, -highspy.kHighsInf)
    programme.row_upper_ = np.concatenate((np.zeros(extra_rows), np.ones(jobs), crowd.devices.astype(float)))
    return programme


def _fill(
    programme: highspy.HighsLp,
    crowd: Crowd,
    *,
    job_rows: NDArray[np.int64] | None,
    entries: NDArray[np.float64] | None,
    last: bool,
) -> None:
    """The matrix by columns; `last` adds the column of t over the extra rows."""
    jobs, kinds = crowd.rates.shape
    job, kind = np.repeat(np.arange(jobs), kinds), np.tile(np.arange(kinds), jobs)
    before = jobs if last else 0
    rows, values = [before + job, before + jobs + kind], [np.ones(jobs * kinds), crowd.gangs[job].astype(float)]
    if job_rows is not None and entries is not None:
        rows, values = [job_rows, *rows], [entries, *values]
    count = len(rows)
    index, value = np.column_stack(rows).reshape(-1), np.column_stack(values).reshape(-1)
    start = np.arange(jobs * kinds + 1) * count
    if last:
        index, value = np.append(index, np.arange(jobs)), np.append(value, np.ones(jobs))
        start = np.append(start, len(index))
    matrix = programme.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_, matrix.index_, matrix.value_ = start.astype(np.int32), index.astype(np.int32), value


def _run(programme: highspy.HighsLp) -> Solved:
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, choice in (("output_flag", False), ("solver", "ipm"), ("run_crossover", "off"), ("threads", 1)):
        model.setOptionValue(option, choice)
    model.passModel(programme)
    begin = time.process_time()
    model.run()
    return Solved(objective=float(model.getObjectiveValue()), cpu_s=time.process_time() - begin)
