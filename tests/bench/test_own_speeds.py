"""What this project measured itself: the committed multipliers are those of its rows, and say what the rows say."""

import hashlib
import tomllib
from dataclasses import replace
from importlib.resources import files
from math import log

import pytest

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.speed.efficiency import committed, with_own
from alliage.speed.figures import chip_figures
from alliage.speed.predict import SPREAD, SPREAD_UNSEEN, Speed, predict
from bench.speed.own import LEVELS, ROWS, SERVED, fit_own, ratio_served, read_own, render, with_levels

OWN = (files("alliage.speed") / "own.toml").read_text(encoding="utf-8")


def test_the_committed_multipliers_are_those_of_the_rows() -> None:
    """Fitting again writes the same file; other processors round otherwise."""
    rows = read_own()
    sha256 = hashlib.sha256(ROWS.read_bytes()).hexdigest()
    values = fit_own(rows, committed())
    again, known = tomllib.loads(render(values, rows=len(rows), sha256=sha256)), tomllib.loads(OWN)
    assert {**again, "multipliers": None} == {**known, "multipliers": None}
    for what, by, level in LEVELS:
        assert again["multipliers"][what][by][level] == pytest.approx(known["multipliers"][what][by][level], rel=2e-3)


def test_what_was_served_lies_in_the_range_that_is_told() -> None:
    """All sixteen loads of the server, within 1.6 of the estimate; without these multipliers five do."""
    rows = [row for row in read_own() if row.load == SERVED]
    bare = with_levels(committed(), [1.0] * len(LEVELS))
    assert len(rows) == 16
    assert all(abs(log(ratio_served(row, committed()))) < log(SPREAD) for row in rows)
    assert sum(abs(log(ratio_served(row, bare))) < log(SPREAD) for row in rows) == 5


def test_other_chips_are_told_with_a_wide_range() -> None:
    """What one card did says less of others."""
    row = read_own()[0]
    catalog = load_catalog()
    for chip, spread in (("nvidia-h100-sxm", SPREAD), ("nvidia-l40s", SPREAD_UNSEEN)):
        speed = predict(replace(row.running, chip=chip_figures(catalog.chips[chip])))
        assert isinstance(speed, Speed)
        assert speed.spread == spread


def test_other_engines_keep_their_coefficients() -> None:
    """Every level that is added is this engine's."""
    told = tomllib.loads(OWN)
    levels = [level for tables in told["multipliers"].values() for table in tables.values() for level in table]
    assert {level.partition("/")[0] for level in levels} == set(told["engines"])


@pytest.mark.parametrize("text", ["chips = []", "engines = ['x']\nchips = []\n[multipliers.width.engine]\nx = 2", "["])
def test_a_file_that_does_not_hold_multipliers_is_refused(text: str) -> None:
    """With how to write it again."""
    with pytest.raises(BadInput, match="engines that we measured"):
        with_own(committed(), text)
