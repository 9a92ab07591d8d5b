"""The tables that `python -m bench.speed` prints."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.speed.cases import Case, Skip
from bench.speed.scoring import Errors, Scored, anchored, errors_of, group_medians, ideal, one_factor_a_chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One evaluation of a file. `scored` is what the headline counts; `uncorrected` is the same before anchors."""

    method: str
    rows: int
    scored: tuple[Scored, ...]
    every: tuple[Scored, ...]
    skipped: Mapping[int, Skip]
    anchors: int

    @property
    def headline(self) -> Errors:
        """Over all scored rows."""
        return errors_of(one.log_error for one in self.scored)


def to_json(result: Result) -> str:
    """One line: rows scored, rows not scored, percent, percent. The first two sum to the rows of the file."""
    headline = result.headline
    return json.dumps(
        {
            "rows": headline.count,
            "skipped": result.rows - headline.count,
            "median_ape": _rounded(headline.median_ape),
            "within_2x": _rounded(headline.within_2x),
        }
    )


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 1)


def to_text(result: Result) -> str:
    """All tables."""
    cases = [one.case for one in result.scored]
    lines = [
        f"{result.rows} rows, {len(result.scored)} scored; {result.method}",
        "",
        f"{'decode tokens/s':44}{'rows':>6}{'median error':>14}{'within 2x':>11}",
        _line("all scored rows", result.headline),
        f"{'median of the (chip, model) groups':44}{'':6}{group_medians(result.scored):13.1f}%",
        *_without_speculation(result.scored),
        "",
        _line("beside it: uncalibrated roofline", errors_of(ideal(cases))),
        _line("beside it: one factor a chip", errors_of(one_factor_a_chip(cases))),
        *_anchor_lines(result),
        "",
        *_by("source", result.scored, lambda case: case.source),
        *_by("protocol", result.scored, lambda case: case.protocol.value),
        "",
        *_latencies(result.scored),
        "",
        *_coverage(result.scored),
        *_not_scored(result),
    ]
    return "\n".join(lines)


def _line(name: str, errors: Errors) -> str:
    if not errors.count:
        return f"{name:44}{0:6}"
    return f"{name:44}{errors.count:6}{errors.median_ape:13.1f}%{errors.within_2x:10.1f}%"


def _without_speculation(scored: Sequence[Scored]) -> list[str]:
    return [
        _line(name, errors_of(one.log_error for one in scored if one.case.is_speculative is wanted))
        for name, wanted in (("of them without speculative decoding", False), ("of them speculative decoding", True))
    ]


def _anchor_lines(result: Result) -> list[str]:
    if result.anchors:
        return []
    corrected = anchored(result.every)
    return [_line("one row of each recipe corrects the others", errors_of(one.log_error for one in corrected))]


def _by(name: str, scored: Sequence[Scored], key: Callable[[Case], str]) -> list[str]:
    keys = sorted({key(one.case) for one in scored})
    return [
        _line(f"{name}: {value}", errors_of(one.log_error for one in scored if key(one.case) == value))
        for value in keys
    ]


def _latencies(scored: Sequence[Scored]) -> list[str]:
    ttft = [
        math.log(one.latency.ttft_s * 1e3 / one.case.row.ttft_ms)
        for one in scored
        if one.case.row.ttft_ms is not None and not one.case.is_speculative
    ]
    tpot = [
        math.log(one.latency.tpot_s * 1e3 / one.case.row.tpot_ms)
        for one in scored
        if one.case.row.tpot_ms is not None and one.case.tpot_is_sound and not one.case.is_speculative
    ]
    return [
        "not promised (TTFT of a burst is queueing; TPOT only where it agrees with Little's law):",
        _line("TTFT", errors_of(ttft)),
        _line("TPOT", errors_of(tpot)),
    ]


def _coverage(scored: Iterable[Scored]) -> list[str]:
    logs = [abs(one.log_error) for one in scored]
    if not logs:
        return []
    shares = ", ".join(
        f"x/{spread} {100 * sum(log <= math.log(spread) for log in logs) / len(logs):.0f} %"
        for spread in (1.45, 1.6, 2.2)
    )
    return [f"share of rows inside an interval: {shares}"]


def _not_scored(result: Result) -> list[str]:
    counts = Counter(reason.value for reason in result.skipped.values())
    if result.anchors:
        counts["used as the anchor of its recipe"] = result.anchors
    return ["", f"not scored: {result.rows - len(result.scored)}"] + [
        f"  {count:5}  {reason}" for reason, count in counts.most_common()
    ]
