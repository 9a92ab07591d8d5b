"""Predictions of cases, by cross-validation or by the committed coefficients, and their errors."""

import math
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from alliage.speed.calibrate import calibrate
from alliage.speed.efficiency import Coefficients, Efficiency, efficiency
from bench.speed.cases import Case
from bench.speed.fitting import Fit, fit
from bench.speed.protocols import Latency, decode_tps, latency

FOLDS: Final = 10
SEED: Final = 20260904
"""Of the shuffle that deals groups to folds; neither was chosen by its result."""
IDEAL: Final = Efficiency(
    bandwidth=1.0,
    compute=1.0,
    attention=1.0,
    step_s=1e-9,
    layer_s=1e-12,
    link_s=1e-12,
    sequence_s=1e-12,
    request_s=1e-12,
    overlap=8.0,
    taper=0.0,
    rate=1.0,
)
"""The uncalibrated roofline: all of the data sheet's figures, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A case with what was predicted of it."""

    case: Case
    predicted_tps: float
    latency: Latency
    was_fitted: bool = False
    """Whether the coefficients had rows of this recipe."""

    @property
    def measured_tps(self) -> float:
        """As the source states it."""
        return self.case.row.decode_tps or math.nan

    @property
    def log_error(self) -> float:
        """log(predicted / measured)."""
        return math.log(self.predicted_tps / self.measured_tps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Of some predictions, in percent: median of |predicted / measured - 1|, and how many are within a factor of 2."""

    count: int
    median_ape: float
    within_2x: float


def errors_of(logs: Iterable[float]) -> Errors:
    """Of logarithms of predicted / measured; NaN where there are none."""
    values = list(logs)
    if not values:
        return Errors(count=0, median_ape=math.nan, within_2x=math.nan)
    return Errors(
        count=len(values),
        median_ape=100 * median(abs(math.exp(value) - 1) for value in values),
        within_2x=100 * sum(abs(value) <= math.log(2) for value in values) / len(values),
    )


def by_committed(cases: Sequence[Case], coefficients: Coefficients) -> tuple[Scored, ...]:
    """Predicted by given coefficients: no row of these cases changes anything."""
    return tuple(
        replace(_scored(case, efficiency(coefficients, case.levels)), was_fitted=coefficients.knows(case.levels))
        for case in cases
    )


def by_cross_validation(cases: Sequence[Case]) -> tuple[Scored, ...]:
    """Each (chip, model) group predicted by a fit that saw no row of it.

    A chip whose bandwidth is fitted is left out where the fit saw no row of it: there is nothing to predict it from.
    """
    folds = deal(case.group for case in cases)
    jobs = [([case for case in cases if folds[case.group] != fold], fold) for fold in range(FOLDS)]
    scored: list[Scored] = []
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for (seen, fold), found in zip(jobs, pool.map(_fit, [seen for seen, _ in jobs]), strict=True):
            chips = {case.chip for case in seen}
            scored += [
                _scored(case, found.efficiency(case))
                for case in cases
                if folds[case.group] == fold and (case.chip in chips or not case.bandwidth_is_fitted)
            ]
    return tuple(sorted(scored, key=lambda one: one.case.row.line))


def _fit(cases: Sequence[Case]) -> Fit:
    return fit(cases)


def deal(groups: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
    """Which fold each group is in."""
    every = sorted(set(groups))
    random.Random(SEED).shuffle(every)
    return {group: index % FOLDS for index, group in enumerate(every)}


def _scored(case: Case, reached: Efficiency) -> Scored:
    return Scored(case=case, predicted_tps=decode_tps(case, reached), latency=latency(case, reached))


def anchored(scored: Sequence[Scored]) -> tuple[Scored, ...]:
    """The first measured row of each (chip, model, engine, precision) corrects the others; those others, corrected."""
    anchors: dict[tuple[str, ...], Scored] = {}
    corrected: list[Scored] = []
    for one in scored:
        anchor = anchors.setdefault(one.case.anchor_key, one)
        if anchor is one:
            continue
        factor = calibrate([anchor.measured_tps / anchor.predicted_tps], was_fitted=anchor.was_fitted).factor
        times = Latency(ttft_s=one.latency.ttft_s / factor, tpot_s=one.latency.tpot_s / factor)
        corrected.append(Scored(case=one.case, predicted_tps=one.predicted_tps * factor, latency=times))
    return tuple(corrected)


def ideal(cases: Sequence[Case]) -> tuple[float, ...]:
    """log(predicted / measured) of the uncalibrated roofline."""
    return tuple(_scored(case, IDEAL).log_error for case in cases)


def one_factor_a_chip(cases: Sequence[Case]) -> tuple[float, ...]:
    """The same with one factor a chip, the median of the chip's rows in other groups (of all rows where it has none)."""
    bare = ideal(cases)
    folds = deal(case.group for case in cases)
    result: list[float] = []
    for case, log in zip(cases, bare, strict=True):
        others = [
            (other.chip, value)
            for other, value in zip(cases, bare, strict=True)
            if folds[other.group] != folds[case.group]
        ]
        same = [value for chip, value in others if chip == case.chip] or [value for _, value in others]
        result.append(log - median(same) if same else log)
    return tuple(result)


def group_medians(scored: Iterable[Scored]) -> float:
    """Median over (chip, model) groups of their median absolute errors, in percent."""
    groups: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for one in scored:
        groups[one.case.group].append(one.log_error)
    return median(errors_of(logs).median_ape for logs in groups.values()) if groups else math.nan
