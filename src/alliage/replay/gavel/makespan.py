"""All jobs at time 0 and their work known: how soon the last is done by our prices, and how soon it could be at best."""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import Jobs
from alliage.replay.gavel.compare import DEVICES_A_KIND
from alliage.replay.gavel.mix import Mix, draw_mix
from alliage.replay.gavel.ours import AlliageSharer
from alliage.replay.gavel.outcome import HOUR_S
from alliage.replay.gavel.rounds import run_rounds
from alliage.replay.gavel.speeds import SpeedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Makespan:
    """When the last job was done, and a time before which none can have all jobs done."""

    makespan_h: float
    bound_h: float


def play_makespan(*, seed: int, jobs: int, table: SpeedTable, devices_a_kind: int = DEVICES_A_KIND) -> Makespan:
    """`jobs` jobs of 1 to 8 devices from `seed`, shared by price for the last finish."""
    mix = draw_mix(seed=seed, jobs=jobs, rate_per_h=0.0, multi=True, table=table)
    devices = np.full(mix.speeds.shape[1], devices_a_kind, dtype=np.int64)

    def remaining(ids: NDArray[np.int64], here: Jobs) -> NDArray[np.float64]:
        return mix.steps[ids] - here.steps

    run = run_rounds(mix, devices, AlliageSharer(devices, remaining=remaining), watched=range(jobs))
    return Makespan(makespan_h=float(run.finishes_s.max()) / HOUR_S, bound_h=bound_makespan_s(mix, devices) / HOUR_S)


def bound_makespan_s(mix: Mix, devices: NDArray[np.int64]) -> float:
    """Min T: each job's time on the kinds does its steps and adds to at most T, each kind gives its devices for T.

    Seconds; a bound, since it lets jobs change kinds at any moment and shares devices without regard to gangs.
    """
    jobs, kinds = mix.speeds.shape
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.setOptionValue("output_flag", False)
    scale_s = float((mix.steps / mix.speeds.max(axis=1)).max())
    reach = mix.speeds > 0.0
    end = model.addVariable(lb=0.0, obj=1.0)
    times = [
        [model.addVariable(lb=0.0, ub=highspy.kHighsInf if reach[job, kind] else 0.0) for kind in range(kinds)]
        for job in range(jobs)
    ]
    for job in range(jobs):
        per_unit = mix.speeds[job] * scale_s / mix.steps[job]
        model.addConstr(sum(float(per_unit[kind]) * times[job][kind] for kind in range(kinds)) >= 1.0)
        model.addConstr(sum(times[job]) - end <= 0.0)
    for kind in range(kinds):
        used = sum(int(mix.gangs[job]) * times[job][kind] for job in range(jobs))
        model.addConstr(used - int(devices[kind]) * end <= 0.0)
    model.minimize()
    return float(model.getObjectiveValue()) * scale_s
