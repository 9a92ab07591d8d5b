"""The rounds: jobs arrive, a policy shares the devices, each job does whole steps, the round ends with the last of them.

Nothing is charged for a move and all gangs are near each other, as in Gavel's published simulation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels
from alliage.decide.sharing.jobs import WAITS, Jobs
from alliage.errors import BadInput
from alliage.replay.gavel.mix import Mix
from alliage.replay.gavel.playing import ROUND_S
from alliage.replay.gavel.policy import Sharer

LEAST_STEPS = 1e-9
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a replay: when each job finished (-1: not yet), its moves, and the rounds' starts and crowds."""

    finishes_s: NDArray[np.float64]
    moves: NDArray[np.int64]
    starts_s: NDArray[np.float64]
    crowds: NDArray[np.int64]
    end_s: float


def run_rounds(
    mix: Mix, devices: NDArray[np.int64], policy: Sharer, *, watched: range, progress: Progress = lambda _a, _b: None
) -> Run:
    """Play until all `watched` jobs are finished. `progress` is told how many of them are, of how many.

    BadInput: a job that fits on no kind, or does no step in a round, would never finish.
    """
    _check(mix, devices, watched)
    books = _Books(mix, devices)
    left = len(watched)
    while left:
        ids = books.admit()
        before = books.now_s
        jobs = books.look(ids)
        kinds = policy.decide(jobs, ids, before)
        done, ran_s = books.play(ids, kinds)
        policy.account(ids, kinds, ran_s)
        finished = sum(1 for job in done if job in watched)
        if finished:
            left -= finished
            progress(len(watched) - left, len(watched))
    return books.close()


def _check(mix: Mix, devices: NDArray[np.int64], watched: range) -> None:
    """Refuse what would never end."""
    if watched.stop > len(mix):
        raise BadInput(f"jobs up to {watched.stop} are watched of {len(mix)} jobs", remedy="draw more jobs")
    able = (mix.speeds * ROUND_S >= 1.0) & (devices >= mix.gangs[:, np.newaxis])
    stuck = np.nonzero(~able.any(axis=1))[0]
    if len(stuck):
        gang = mix.gangs[stuck[0]]
        raise BadInput(f"job {stuck[0]}, a gang of {gang}, can run on no kind", remedy="give more devices of a kind")


class _Books:
    """The state of all jobs, by number."""

    def __init__(self, mix: Mix, devices: NDArray[np.int64]) -> None:
        count = len(mix)
        self._mix, self._devices = mix, devices
        self._run = kernels("alliage.replay.gavel.playing")
        self.now_s, self._came = 0.0, 0
        self._active = np.empty(0, dtype=np.int64)
        self._steps, self._private, self._run_s = np.zeros(count), np.zeros(count), np.zeros(count)
        self._kinds = np.full(count, WAITS, dtype=np.int64)
        self._finishes = np.full(count, -1.0)
        self._moves = np.zeros(count, dtype=np.int64)
        self._tenants = np.zeros(count, dtype=np.int64)
        self._starts: list[float] = []
        self._crowds: list[int] = []

    def admit(self) -> NDArray[np.int64]:
        """Let in who has come by now; where nobody is here, the clock moves to the next arrival."""
        if not len(self._active):
            self.now_s = max(self.now_s, float(self._mix.arrivals_s[self._came]))
        come = int(np.searchsorted(self._mix.arrivals_s, self.now_s, side="right"))
        if come > self._came:
            self._active = np.concatenate((self._active, np.arange(self._came, come)))
            self._came = come
        self._starts.append(self.now_s)
        self._crowds.append(len(self._active))
        return self._active

    def look(self, ids: NDArray[np.int64]) -> Jobs:
        """The jobs that are here, as a policy may see them."""
        mix = self._mix
        return Jobs(
            gangs=mix.gangs[ids],
            speeds=mix.speeds[ids],
            steps=self._steps[ids],
            private_steps=self._private[ids],
            age_s=self.now_s - mix.arrivals_s[ids],
            kinds=self._kinds[ids],
            run_s=self._run_s[ids],
            tenants=self._tenants[ids],
        )

    def play(self, ids: NDArray[np.int64], kinds: NDArray[np.int64]) -> tuple[list[int], NDArray[np.float64]]:
        """One round: whole steps, the last ones cut to what is left; who finished, and how long each ran."""
        ran_s = np.zeros(len(ids))
        mix = self._mix
        length_s = self._run.play_round(
            ids, kinds, ran_s, mix.gangs, mix.speeds, mix.steps, self._devices, self._steps, self._private,
            self._run_s, self._kinds, self._moves,
        )  # fmt: skip
        ended = self._steps[ids] >= mix.steps[ids] - LEAST_STEPS
        self._finishes[ids[ended]] = self.now_s + ran_s[ended]
        self.now_s += length_s
        if ended.any():
            self._active = ids[~ended]
        return [int(job) for job in ids[ended]], ran_s

    def close(self) -> Run:
        """The result so far."""
        return Run(
            finishes_s=self._finishes,
            moves=self._moves,
            starts_s=np.array(self._starts),
            crowds=np.array(self._crowds, dtype=np.int64),
            end_s=self.now_s,
        )
