"""The fit: all coefficients in logarithms, a robust loss, and priors that keep an unseen level at 1.

Minimises sum over rows of w (sqrt(1 + (e / 0.2)^2) - 1) + 1/2 sum over parameters of ((x - x0) / sd)^2, with
e = log(predicted / measured) and w = 1 / sqrt(rows of the same key), by damped Gauss-Newton steps. Parameters act on the
fields of Efficiency linearly in logarithms, so the model is differentiated by those alone.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from alliage.speed.efficiency import AFFECTS, BASES, Efficiency, from_logs
from bench.speed.cases import Case
from bench.speed.protocols import decode_tps

Array = npt.NDArray[np.float64]

SCALE: Final = 0.2
STEPS: Final = 14
NUDGE: Final = 0.03

BASE_PRIORS: Final[Mapping[str, tuple[float, float]]] = {
    "bandwidth": (0.58, 0.3),
    "compute": (0.42, 0.3),
    "attention": (0.8, 0.5),
    "step_s": (2e-3, 0.7),
    "layer_s": (56e-6, 0.7),
    "link_s": (14e-6, 0.7),
    "sequence_s": (10e-6, 1.0),
    "request_s": (2e-3, 0.7),
    "overlap": (1.5, 0.15),
    "taper": (0.15, 0.7),
    "rate": (1.0, 1e-3),
}
"""Where each base starts, and the standard deviation of its logarithm."""
LEVEL_PRIORS: Final[Mapping[tuple[str, str], float]] = {
    ("bandwidth", "kind"): 0.35,
    ("bandwidth", "chip"): 0.12,
    ("bandwidth", "engine"): 0.3,
    ("bandwidth", "precision"): 0.25,
    ("bandwidth", "chip_engine"): 0.12,
    ("bandwidth", "kind_precision"): 0.15,
    ("bandwidth", "shape"): 0.2,
    ("compute", "kind"): 0.35,
    ("compute", "chip"): 0.12,
    ("compute", "engine"): 0.3,
    ("compute", "precision"): 0.25,
    ("compute", "chip_engine"): 0.12,
    ("compute", "kind_precision"): 0.15,
    ("compute", "shape"): 0.3,
    ("compute", "attention"): 0.3,
    ("launch", "attention"): 0.4,
    ("fixed", "engine"): 0.9,
    ("fixed", "stack_engine"): 0.5,
    ("launch", "kind"): 1.0,
    ("launch", "shape"): 0.4,
    ("host", "engine"): 0.8,
    ("rate", "setting"): 0.4,
    ("rate", "model"): 0.2,
    ("rate", "model_engine"): 0.15,
    ("rate", "case"): 0.25,
}
"""Standard deviation of a multiplier's logarithm around 0."""
UNKNOWN_BANDWIDTH_SD: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Logarithms of the bases in the order of BASES, and of the multipliers by (what, by, level)."""

    base: tuple[float, ...]
    levels: Mapping[tuple[str, str, str], float]

    def efficiency(self, case: Case) -> Efficiency:
        """Of the case's situation."""
        logs = list(self.base)
        for (what, by), names in _TABLES.items():
            value = self.levels.get((what, by, case.levels.get(by, "")), 0.0)
            for name in names:
                logs[name] += value
        return from_logs(logs)


_TABLES: Final[Mapping[tuple[str, str], tuple[int, ...]]] = {
    (what, by): tuple(BASES.index(name) for name in AFFECTS[what]) for what, by in LEVEL_PRIORS
}


def fit(cases: Sequence[Case]) -> Fit:
    """The coefficients that explain the cases best."""
    problem = _Problem(cases)
    x, damping = problem.start.copy(), 1.0
    logs = problem.base_logs(x)
    predicted = problem.predict(logs)
    loss = problem.loss(predicted, x)
    for _ in range(STEPS):
        slope = problem.slope(logs, predicted)
        while True:
            tried = x + problem.step(slope, predicted, x, damping)
            tried_logs = problem.base_logs(tried)
            tried_predicted = problem.predict(tried_logs)
            gained = loss - problem.loss(tried_predicted, tried)
            if gained > 0 or damping > 1e6:
                break
            damping *= 6
        if gained <= 0:
            break
        x, logs, predicted, loss, damping = tried, tried_logs, tried_predicted, loss - gained, max(damping / 5, 1e-4)
        if gained < 1e-4 * loss:
            break
    return problem.named(x)


class _Problem:
    """The cases as arrays: unique cases are predicted once, whatever the number of their rows."""

    def __init__(self, cases: Sequence[Case]) -> None:
        keys = [_key(case) for case in cases]
        self._unique = dict(zip(keys, cases, strict=True))
        order = {key: index for index, key in enumerate(self._unique)}
        self._of = np.array([order[key] for key in keys])
        many = Counter(keys)
        self._weights = np.array([1 / math.sqrt(many[key]) for key in keys])
        self._measured = np.array([math.log(case.row.decode_tps or 1.0) for case in cases])
        self._names = sorted(
            {(what, by, case.levels[by]) for case in cases for what, by in LEVEL_PRIORS if by in case.levels}
        )
        self.start = np.concatenate([np.log([BASE_PRIORS[name][0] for name in BASES]), np.zeros(len(self._names))])
        self._sd = np.array([BASE_PRIORS[name][1] for name in BASES] + [_sd(name, cases) for name in self._names])
        self._design = self._design_of()

    def _design_of(self) -> Array:
        """(unique case, base, parameter): 1 where the parameter multiplies the base of the case."""
        design = np.zeros((len(self._unique), len(BASES), len(self.start)))
        place = {name: len(BASES) + index for index, name in enumerate(self._names)}
        for index, case in enumerate(self._unique.values()):
            for base in range(len(BASES)):
                design[index, base, base] = 1.0
            for (what, by), bases in _TABLES.items():
                if by in case.levels:
                    for base in bases:
                        design[index, base, place[what, by, case.levels[by]]] = 1.0
        return design

    def base_logs(self, x: Array) -> Array:
        return np.asarray(self._design @ x)

    def predict(self, logs: Array) -> Array:
        return np.array(
            [
                math.log(decode_tps(case, from_logs(row.tolist())))
                for case, row in zip(self._unique.values(), logs, strict=True)
            ]
        )

    def errors(self, predicted: Array) -> Array:
        return np.asarray(predicted[self._of] - self._measured)

    def loss(self, predicted: Array, x: Array) -> float:
        errors = self.errors(predicted)
        robust = self._weights * (np.sqrt(1 + (errors / SCALE) ** 2) - 1)
        return float(robust.sum() + 0.5 * (((x - self.start) / self._sd) ** 2).sum())

    def slope(self, logs: Array, predicted: Array) -> Array:
        """Derivative of each row's error by each parameter."""
        by_base = np.zeros(logs.shape)
        for base, name in enumerate(BASES):
            if name == "rate":
                by_base[:, base] = 1.0
                continue
            nudged = logs.copy()
            nudged[:, base] += NUDGE
            by_base[:, base] = (self.predict(nudged) - predicted) / NUDGE
        return np.asarray(np.einsum("ub,ubp->up", by_base, self._design)[self._of])

    def step(self, slope: Array, predicted: Array, x: Array, damping: float) -> Array:
        errors = self.errors(predicted)
        weights = self._weights / (SCALE**2 * np.sqrt(1 + (errors / SCALE) ** 2))
        prior = 1 / self._sd**2
        curve = slope.T @ (slope * weights[:, None]) + np.diag(prior)
        pull = slope.T @ (weights * errors) + prior * (x - self.start)
        return np.asarray(-np.linalg.solve(curve + damping * np.diag(np.diag(curve)), pull))

    def named(self, x: Array) -> Fit:
        values = x.tolist()
        return Fit(
            base=tuple(values[: len(BASES)]),
            levels=dict(zip(self._names, values[len(BASES) :], strict=True)),
        )


def _sd(name: tuple[str, str, str], cases: Sequence[Case]) -> float:
    what, by, level = name
    if (what, by) == ("bandwidth", "chip") and any(case.chip == level and case.bandwidth_is_fitted for case in cases):
        return UNKNOWN_BANDWIDTH_SD
    return LEVEL_PRIORS[what, by]


def _key(case: Case) -> tuple[object, ...]:
    """Rows that the model cannot tell apart."""
    return (
        case.chip,
        case.model,
        case.engine,
        case.levels["precision"],
        case.levels["setting"],
        case.protocol,
        round(case.input_tokens),
        round(case.output_tokens),
        case.concurrency,
        tuple((group.work.devices, group.replicas) for group in case.groups),
    )
