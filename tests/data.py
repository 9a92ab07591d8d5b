"""Where data that must not be in this repository lies: published tables, traces and raw tool output."""

import os
from pathlib import Path


def data_folder() -> Path | None:
    """The folder of $ALLIAGE_TEST_DATA, by default the one beside the checkout; None where there is none."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ALLIAGE_TEST_DATA") or default)
    return folder if folder.is_dir() else None
