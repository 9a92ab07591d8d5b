"""`python -m bench.decide.max_min [--short] [--rounds N]`: max-min and prices over many jobs, ours against HiGHS.

CPU seconds, ours and HiGHS's interior point (one thread, no crossover) in turns in one run on the same instances. Ours
is warmed up once, so that compiling does not count. Each answer is printed beside its proof.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

from alliage.decide.price.auction import find_prices
from alliage.decide.sharing.max_min import level_jobs
from bench.decide.many_jobs import Crowd, draw_crowd, solve_assignment, solve_max_min

Answer = TypeVar("Answer")
KINDS = 10
GAP = 1e-4


def main() -> None:
    """Print a line a size and programme."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="2,048 jobs only")
    parser.add_argument("--rounds", type=int, default=3, help="turns of ours and HiGHS's; the least CPU counts")
    chosen = parser.parse_args()
    _max_min(draw_crowd(64, KINDS, seed=1), 1)
    _prices(draw_crowd(64, KINDS, seed=1), 1)
    for jobs in (2048,) if chosen.short else (2048, 10_000):
        crowd = draw_crowd(jobs, KINDS, seed=0)
        print(_max_min(crowd, chosen.rounds))
        print(_prices(crowd, chosen.rounds))


def _max_min(crowd: Crowd, rounds: int) -> str:
    """The level that all can have: ours, its bound, HiGHS's."""
    ours_s = rival_s = float("inf")
    for _ in range(rounds):
        ours, took = _timed(lambda: level_jobs(crowd.rates, crowd.gangs, crowd.devices, gap=GAP))
        rival = solve_max_min(crowd)
        ours_s, rival_s = min(ours_s, took), min(rival_s, rival.cpu_s)
    return (
        f"max-min {len(crowd.gangs):6} jobs x {KINDS}: ours {ours_s:.3f} s ({ours.least:.5f}, proven <= {ours.bound:.5f}, "
        f"{ours.passes} passes), HiGHS IPM {rival_s:.3f} s ({rival.objective:.5f}), ratio {ours_s / rival_s:.3f}"
    )


def _prices(crowd: Crowd, rounds: int) -> str:
    """The auction's bound against the optimum of the programme that it bounds."""
    values = crowd.rates * crowd.gangs[:, None]
    ours_s = rival_s = float("inf")
    for _ in range(rounds):
        ours, took = _timed(lambda: find_prices(values=values, gangs=crowd.gangs, devices=crowd.devices))
        rival = solve_assignment(crowd)
        ours_s, rival_s = min(ours_s, took), min(rival_s, rival.cpu_s)
    return (
        f"prices  {len(crowd.gangs):6} jobs x {KINDS}: ours {ours_s:.3f} s (bound {ours.bound / rival.objective:.6f} of "
        f"the optimum, {ours.sweeps} sweeps), HiGHS IPM {rival_s:.3f} s, ratio {ours_s / rival_s:.3f}"
    )


def _timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """What it gives, and the CPU seconds it took."""
    begin = time.process_time()
    return work(), time.process_time() - begin


if __name__ == "__main__":
    main()
