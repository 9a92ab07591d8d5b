"""What a replay is judged by: completion times, moves, and how each job fared against a private share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.private import private_speeds
from alliage.replay.gavel.mix import Mix
from alliage.replay.gavel.rounds import Run

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of the watched jobs. `completion_h`: from arrival to finish. A move is a start, a resume or a change of kind.

    `finish_ratio` is the time a job took over what it would have taken on a private 1/n share, n the jobs that were
    there in this run. `slowdown` is that time over running alone on its best kind.
    """

    completion_h: NDArray[np.float64]
    finish_ratio: NDArray[np.float64]
    slowdown: NDArray[np.float64]
    moves: NDArray[np.int64]

    def summarise(self) -> dict[str, float]:
        """Means and tails, by name with the unit last."""
        return {
            "mean_completion_h": float(self.completion_h.mean()),
            "p50_completion_h": float(np.percentile(self.completion_h, 50)),
            "p99_completion_h": float(np.percentile(self.completion_h, 99)),
            "max_completion_h": float(self.completion_h.max()),
            "mean_slowdown": float(self.slowdown.mean()),
            "mean_finish_ratio": float(self.finish_ratio.mean()),
            "max_finish_ratio": float(self.finish_ratio.max()),
            "moves_per_job": float(self.moves.mean()),
        }


def judge(mix: Mix, devices: NDArray[np.int64], run: Run, watched: range) -> Outcome:
    """The outcome of the `watched` jobs, all of which have finished."""
    rows = np.arange(watched.start, watched.stop)
    took_s = run.finishes_s[rows] - mix.arrivals_s[rows]
    alone_s = mix.steps[rows] / mix.speeds[rows].max(axis=1)
    return Outcome(
        completion_h=took_s / HOUR_S,
        finish_ratio=took_s / _private_times_s(mix, devices, run, rows),
        slowdown=took_s / alone_s,
        moves=run.moves[rows],
    )


def _private_times_s(mix: Mix, devices: NDArray[np.int64], run: Run, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How long each job would have taken on its private share; after the run's end the last crowd stays."""
    grid = np.append(run.starts_s, run.end_s)
    lengths = np.diff(grid)
    profiles: dict[tuple[float, ...], NDArray[np.float64]] = {}
    times = np.empty(len(rows))
    for place, job in enumerate(rows):
        key = (float(mix.gangs[job]), *mix.speeds[job])
        if key not in profiles:
            profiles[key] = _private_profile(mix.gangs[job], mix.speeds[job], devices, run.crowds)
        speeds = profiles[key]
        done = np.concatenate(([0.0], np.cumsum(speeds * lengths)))
        goal = np.interp(mix.arrivals_s[job], grid, done) + mix.steps[job]
        late_s = max(goal - done[-1], 0.0) / speeds[-1]
        times[place] = np.interp(goal, done, grid) + late_s - mix.arrivals_s[job]
    return times


def _private_profile(
    gang: int, speeds: NDArray[np.float64], devices: NDArray[np.int64], crowds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Steps/s of one kind of job on its private share, in each round."""
    sizes, place = np.unique(crowds, return_inverse=True)
    by_size = [
        private_speeds(gangs=np.array([gang]), speeds=speeds[np.newaxis, :], devices=devices, jobs=int(size))[0]
        for size in sizes
    ]
    return np.array(by_size)[place]
