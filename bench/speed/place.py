"""Where the measured speeds are: named on the command line, or in the folder of ALLIAGE_TEST_DATA."""

import os
from pathlib import Path

from alliage.errors import BadInput


def data_file(named: Path | None) -> Path:
    """The file to read; BadInput when there is none."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("ALLIAGE_TEST_DATA", beside))
    path = named or folder / "speed" / "measured.csv"
    if not path.is_file():
        raise BadInput(
            f"there are no measured speeds at {path}",
            remedy="name a CSV file with --data FILE, or the folder that has speed/measured.csv in ALLIAGE_TEST_DATA",
        )
    return path
