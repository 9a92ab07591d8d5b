"""The anchor correction: what measured speeds say about a prediction."""

from math import inf, nan

import pytest

from alliage.errors import BadInput
from alliage.speed.calibrate import UNCALIBRATED, calibrate


def test_nothing_measured_changes_nothing() -> None:
    """No points, factor 1."""
    assert calibrate([]) == UNCALIBRATED


def test_more_points_are_believed_more() -> None:
    """Posterior of N(0, 0.40) with noise 0.15: 0.16 / 0.1825 of one point's logarithm, and nearly all of a hundred."""
    assert calibrate([2.0]).factor == pytest.approx(2 ** (0.16 / 0.1825))
    assert calibrate([2.0] * 100).factor == pytest.approx(2.0, rel=0.01)
    assert calibrate([2.0] * 100).points == 100


def test_a_recipe_that_was_fitted_moves_less() -> None:
    """Its coefficients hold what was measured before: one more point counts half."""
    assert calibrate([2.0], was_fitted=True).factor == pytest.approx(2**0.5)


def test_order_does_not_matter_and_errors_cancel() -> None:
    """Twice as fast and half as fast is as predicted."""
    assert calibrate([2.0, 0.5]).factor == pytest.approx(1.0)
    assert calibrate([1.2, 3.0]) == calibrate([3.0, 1.2])


@pytest.mark.parametrize("ratio", [0.0, -1.0, nan, inf])
def test_what_is_no_speed_is_refused(ratio: float) -> None:
    """Measurements without tokens or without time are the caller's to leave out."""
    with pytest.raises(BadInput, match="not a ratio of speeds"):
        calibrate([1.0, ratio])
