"""Simulate many seeds: `python -m tests.simulation --seed 1 --count 50 --steps 1000`, or `make soak`.

Seeds that ever broke something are in `failing_seeds.txt` and come first; one that breaks something now is written there.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.simulation.safety import check_same
from tests.simulation.simulation import Broken, Simulation

FAILING = Path(__file__).parent / "failing_seeds.txt"
AGAIN_STEPS = 60
"""So many steps of each seed are done twice, and compared."""


def failing_seeds() -> tuple[int, ...]:
    """Those of the file, in its order."""
    lines = (line.partition("#")[0].strip() for line in FAILING.read_text().splitlines())
    return tuple(int(line) for line in lines if line)


def simulate(seed: int, steps: int) -> tuple[Broken | None, str]:
    """One seed to its end; what it broke, and a line that says what there was."""
    first = _digest(seed, min(steps, AGAIN_STEPS))
    simulation = Simulation(seed)
    try:
        broken = simulation.run(min(steps, AGAIN_STEPS))
        different = list(check_same(first, simulation.digest)) if broken is None else []
        broken = broken or simulation.run(steps - AGAIN_STEPS) or simulation.peace()
        if different:
            broken = Broken(seed=seed, step=AGAIN_STEPS, check="check_same", what=different[0], lately=())
        fates = simulation.cloud.doors.fates
        answered, continued = sum(fate.is_answered for fate in fates), sum(fate.continued > 0 for fate in fates)
        told = f"{simulation.steps} steps, {len(fates)} requests, {answered} answered, {continued} continued"
        return broken, f"{told}, {simulation.cloud.solves} solves"
    finally:
        simulation.close()


def _digest(seed: int, steps: int) -> str:
    simulation = Simulation(seed)
    try:
        simulation.run(steps)
        return simulation.digest
    finally:
        simulation.close()


def main() -> int:
    """All of them; 1 where one broke something."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=20, help="how many, one after the other")
    parser.add_argument("--steps", type=int, default=1000, help="of each, before the peace at its end")
    parser.add_argument("--digest", action="store_true", help="only print what the first seed comes to")
    asked = parser.parse_args()
    if asked.digest:
        print(_digest(asked.seed, asked.steps))  # noqa: T201 - it is what one asks for
        return 0
    known, failed = failing_seeds(), 0
    for seed in dict.fromkeys((*known, *range(asked.seed, asked.seed + asked.count))):
        began_s = time.process_time()
        broken, told = simulate(seed, asked.steps)
        print(f"seed {seed}: {told}, {time.process_time() - began_s:.0f} s of CPU", flush=True)  # noqa: T201 - it is what one asks for
        if broken is not None:
            failed += 1
            print(f"BROKEN {broken}", flush=True)  # noqa: T201 - it is what one asks for
            if seed not in known:
                with FAILING.open("a") as file:
                    file.write(f"{seed}  # {broken.check}, step {broken.step}\n")
    print(f"{failed} seeds broke something")  # noqa: T201 - it is what one asks for
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
