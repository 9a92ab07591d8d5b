"""The anchor correction: what measured speeds of a recipe say about the model's prediction of it. Pure.

Errors of the model sit between recipes (how well a stack is tuned), not between lengths and concurrencies of one: so
one factor corrects all of a recipe's predictions. Offline checks and live learning call the same function.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, isfinite, log
from typing import Final

from alliage.errors import BadInput

BETWEEN_SD: Final = 0.40
"""Standard deviation of log(measured / predicted) between recipes, as cross-validation shows it."""
FITTED_SD: Final = 0.15
"""The same between recipes that had rows in the fit, whose coefficients know them already."""
WITHIN_SD: Final = 0.15
"""The same inside one recipe, over lengths and concurrencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`factor` multiplies predicted speeds and divides times; `points` is how many measurements it stands on."""

    factor: float
    points: int


UNCALIBRATED: Final = Calibration(factor=1.0, points=0)


def calibrate(ratios: Iterable[float], *, was_fitted: bool = False) -> Calibration:
    """The factor that measured / predicted speeds of one recipe imply; none give 1.

    The mean of a normal posterior in logarithms, prior N(0, BETWEEN_SD), noise N(0, WITHIN_SD) (Gelman et al., Bayesian
    Data Analysis, 3rd ed., eq. 2.12): one point is believed to 88 %, many fully. `was_fitted` says that the coefficients know
    the recipe (`Coefficients.knows`): one point is then believed to 50 %. BadInput for a ratio that is no speed.
    """
    logs = [_log(ratio) for ratio in ratios]
    if not logs:
        return UNCALIBRATED
    between = FITTED_SD if was_fitted else BETWEEN_SD
    belief = between**2 / (between**2 + WITHIN_SD**2 / len(logs))
    return Calibration(factor=exp(belief * sum(logs) / len(logs)), points=len(logs))


def _log(ratio: float) -> float:
    if not isfinite(ratio) or ratio <= 0:
        raise BadInput(
            f"measured / predicted is {ratio!r}, which is not a ratio of speeds",
            remedy="leave out measurements without tokens or without time",
        )
    return log(ratio)
