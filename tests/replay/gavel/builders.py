"""A small table of speeds and small mixes for tests of the Gavel replay."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alliage.replay.gavel.mix import Mix
from alliage.replay.gavel.speeds import DISTRIBUTED, GANGS, KINDS, TYPES, SpeedTable


def a_table() -> SpeedTable:
    """Made-up speeds: each type has its own ratio of the kinds, gangs scale a little worse than their size."""
    return SpeedTable(rows={(job, gang): made_up(job, gang) for job, gang in keys()})


def keys() -> list[tuple[int, int]]:
    """Every (type, gang) that a table has."""
    return [(job, gang) for job in range(len(TYPES)) for gang in GANGS if gang == 1 or job < len(DISTRIBUTED)]


def made_up(job: int, gang: int) -> tuple[float, ...]:
    """Speeds of one type on the three kinds."""
    return (4.0 * gang**0.9, 4.0 * gang**0.9 / (1.5 + job % 3), 4.0 * gang**0.9 / (2.0 + job % 7))


def write_table(path: Path) -> Path:
    """The same as a file in Gavel's format."""
    rows = {
        kind: {f"('{TYPES[job]}', {gang})": {"null": made_up(job, gang)[at]} for job, gang in keys()}
        for at, kind in enumerate(KINDS)
    }
    path.write_text(json.dumps(rows))
    return path


def a_mix(
    arrivals_s: Sequence[float], gangs: Sequence[int], speeds: Sequence[Sequence[float]], steps: Sequence[float]
) -> Mix:
    """A mix, said row by row."""
    return Mix(
        arrivals_s=np.array(arrivals_s, dtype=float),
        gangs=np.array(gangs, dtype=np.int64),
        speeds=np.array(speeds, dtype=float),
        steps=np.array(steps, dtype=float),
    )
