"""How fast each type of job runs: Gavel's published table of measured steps/s, read from its JSON file."""

import json
from dataclasses import dataclass
from pathlib import Path

from alliage.errors import BadInput

KINDS = ("v100", "p100", "k80")
GANGS = (1, 2, 4, 8)
DISTRIBUTED = tuple(
    f"{model} (batch size {batch})"
    for model, batches in (
        ("ResNet-18", (16, 32, 64, 128, 256)),
        ("ResNet-50", (16, 32, 64, 128)),
        ("Transformer", (16, 32, 64, 128, 256)),
        ("LM", (5, 10, 20, 40, 80)),
    )
    for batch in batches
)
"""Types of job that also run on several devices, in the order in which Gavel draws them."""
TYPES = (
    *DISTRIBUTED,
    *(f"Recommendation (batch size {batch})" for batch in (512, 1024, 2048, 4096, 8192)),
    "A3C",
    "CycleGAN",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedTable:
    """Steps/s alone on a gang of one kind, by (type, gang): one number a kind, 0 where it does not run."""

    rows: dict[tuple[int, int], tuple[float, ...]]

    def find(self, job_type: int, gang: int) -> tuple[float, ...]:
        """Speeds of one type at one size of gang, in the order of KINDS."""
        return self.rows[job_type, gang]


def read_speeds(path: Path) -> SpeedTable:
    """Read the table; BadInput names the file, and the row that is missing or broken."""
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"no throughputs at {path}", remedy="name Gavel's simulation_throughputs.json") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}", remedy="name Gavel's simulation_throughputs.json") from error
    wanted = [(job, gang) for job in range(len(TYPES)) for gang in GANGS if gang == 1 or job < len(DISTRIBUTED)]
    return SpeedTable(rows={(job, gang): _read_row(raw, job, gang, path) for job, gang in wanted})


def _read_row(raw: object, job: int, gang: int, path: Path) -> tuple[float, ...]:
    """Speeds of one type and gang on each kind; the file's key is the text of a Python tuple."""
    key = f"('{TYPES[job]}', {gang})"
    try:
        row = tuple(float(raw[kind][key]["null"]) for kind in KINDS)  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{path} has no speeds for {key}", remedy="name Gavel's simulation_throughputs.json") from None
    if min(row) < 0.0 or row[0] <= 0.0:
        raise BadInput(f"{path} has speeds {row} for {key}", remedy="the first kind's must be above 0")
    return row
