"""Kernels of a round: what each job does, and what is noted of it. Plain functions, also run compiled."""
# ruff: noqa: PLR0917 - compiled functions take their arrays by position

import numpy as np
from numpy.typing import NDArray

KERNELS = ("play_round", "note_private")
ROUND_S = 360.0


def play_round(
    ids: NDArray[np.int64],
    kinds: NDArray[np.int64],
    ran_s: NDArray[np.float64],
    gangs: NDArray[np.int64],
    speeds: NDArray[np.float64],
    goals: NDArray[np.float64],
    devices: NDArray[np.int64],
    steps: NDArray[np.float64],
    private_steps: NDArray[np.float64],
    run_s: NDArray[np.float64],
    kinds_before: NDArray[np.int64],
    moves: NDArray[np.int64],
) -> float:
    """Play one round on the books of all jobs, `ids` of which are here; its length, which ends with the last of them."""
    length_s = 0.0
    for place in range(len(ids)):
        job, kind = ids[place], kinds[place]
        if kind < 0:
            continue
        speed = speeds[job, kind]
        done = min(np.floor(speed * ROUND_S), goals[job] - steps[job])
        steps[job] += done
        ran_s[place] = done / speed
        length_s = max(length_s, ran_s[place])
    if length_s == 0.0:
        length_s = ROUND_S  # nobody ran: the clock goes on all the same
    for place in range(len(ids)):
        job, kind = ids[place], kinds[place]
        if kind >= 0 and kind != kinds_before[job]:
            moves[job] += 1
            run_s[job] = 0.0
        run_s[job] = run_s[job] + length_s if kind >= 0 else 0.0
        kinds_before[job] = kind
    note_private(ids, gangs, speeds, devices, length_s, private_steps)
    return length_s


def note_private(
    ids: NDArray[np.int64],
    gangs: NDArray[np.int64],
    speeds: NDArray[np.float64],
    devices: NDArray[np.int64],
    length_s: float,
    private_steps: NDArray[np.float64],
) -> None:
    """Add what an equal private share would have done in `length_s` (`decide.sharing.valuing.private_rows`)."""
    for job in ids:
        times, rate = 0.0, 0.0
        for kind in range(len(devices)):
            time = devices[kind] / (len(ids) * gangs[job])
            times += time
            rate += time * speeds[job, kind]
        private_steps[job] += length_s * rate / max(times, 1.0)
