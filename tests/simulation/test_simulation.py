"""The seeded simulation, shortly: `make soak` is the long one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import failing_seeds
from tests.simulation.safety import CHECKS, NOT_JUDGED, check_same
from tests.simulation.simulation import Simulation

STEPS = 100
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", [3, 4])
def test_what_is_safe_stays_safe_whatever_happens(seed: int) -> None:
    """Properties 1 to 9 hold after each step; and when all faults are over, all that is asked for runs and nothing moves."""
    print(f"seed {seed}")  # noqa: T201 - it is what one asks for
    simulation = Simulation(seed)
    try:
        broken = simulation.run(STEPS) or simulation.peace()
        assert broken is None, str(broken)
        assert any(fate.is_answered for fate in simulation.cloud.doors.fates)
        assert len(simulation.happened) > 15
    finally:
        simulation.close()


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Property 10: two processes whose hashes differ see the same, to the byte; another seed sees something else."""
    first, again = _digest("1"), _digest("2")
    assert not list(check_same(first, again))
    other = Simulation(8)
    try:
        other.run(10)
        assert list(check_same(first, other.digest))
    finally:
        other.close()


def _digest(hashes: str) -> str:
    command = [sys.executable, "-m", "tests.simulation", "--digest", "--seed", "7", "--steps", "40"]
    environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_seeds_that_failed_are_kept() -> None:
    """The list is read, and each is there once; what no step can judge is named with the place where it is tested."""
    seeds = failing_seeds()
    assert seeds
    assert len(set(seeds)) == len(seeds)
    named = [word for text in NOT_JUDGED.values() for word in text.replace(":", " ").replace(",", " ").split()]
    files = [word for word in named if word.startswith("tests/")]
    assert files
    assert all((ROOT / file).is_file() for file in files)
    assert len(CHECKS) == 10
