"""`alliage replay gavel`: refusals with the way out. What it computes is tested where it is computed."""

from pathlib import Path

import pytest

from alliage.errors import BadInput
from alliage.faces.cli.replaying_gavel import gavel


def test_what_cannot_be_meant_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Kinds of jobs, rates, seeds, policies and files that are not there: each is named."""
    missing = tmp_path / "none.json"
    with pytest.raises(BadInput, match="single or multi"):
        gavel(missing, jobs="several")
    with pytest.raises(BadInput, match="--rate 0"):
        gavel(missing, rate=0.0)
    with pytest.raises(BadInput, match="--seeds one"):
        gavel(missing, seeds="one")
    with pytest.raises(BadInput, match="no throughputs at"):
        gavel(missing)
