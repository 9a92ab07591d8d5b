"""How a report reads. Nothing is computed here but what is shown of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.gateway.report import GATEWAY, Beside, Column, Idle, Lag, Latency, Report, Sample, Turns
from bench.gateway.rivals import NGINX
from bench.gateway.settings import ADDED_GOAL, ANY_FOREIGN, WORSE_GOAL_MS
from bench.gateway.tools import ROOT

_LABEL: Final = 30
_CELL: Final = 13
_NONE: Final = "-"
_MIB: Final = 1 << 20


def render(report: Report) -> str:
    """The report for people; without a figure when an answer of nginx or ours was wrong."""
    lines = [
        f"Alliage's gateway against {report.nginx}, {report.date}",
        f"{report.processor}, Linux {report.kernel}; proxy on one core, everything else on another",
        f"gateway under {_shorten(report.python.path)}: Python {report.python.version}",
    ]
    if not report.valid:
        where = [f"  {one}" for one in report.invalid]
        return "\n".join([*lines, "", "INVALID: an answer was wrong or missing, so there are no figures", *where])
    lines += _render_features(report)
    if report.settings.foreign_max >= ANY_FOREIGN:
        lines.append("NOISY: rounds in which others used the proxies' core were kept")
    lines += [f"not run: {one}" for one in report.missing]
    for one in report.turns:
        lines += ["", *_render_turns(one)]
    if report.latency:
        lines += ["", *_render_latency(report.latency)]
    if report.idle:
        lines += ["", *_render_idle(report.idle)]
    return "\n".join([*lines, "", f"took {report.took_s / 60:.1f} minutes"])


def _shorten(path: str) -> str:
    return str(Path(path).relative_to(ROOT)) if Path(path).is_relative_to(ROOT) else path


def _render_features(report: Report) -> list[str]:
    limits = "it told their use" if report.tells_use else "it told no use of them: this gateway does not hold to limits"
    metering = f"{report.records} usage records taken" if report.records else "no usage record came: not metered"
    held = f"limits of key, project and tenant, leased ({limits})"
    return [f"on: keys, routing over 4 replicas; {held}; metering ({metering})"]


def _row(label: str, cells: Sequence[str], goal: str = "") -> str:
    return f"{label:{_LABEL}}{''.join(f'{cell:>{_CELL}}' for cell in cells)}{goal:>{_CELL}}".rstrip()


def _render_turns(turns: Turns) -> list[str]:
    columns, unit = turns.columns, turns.unit
    span = "gap" if unit == "token" else "answer"
    goal = f"{turns.goal:.2f}" if turns.goal else ""
    gap_goal = f"{turns.gap_goal_ms:.2f}" if turns.gap_goal_ms else ""

    def cells(value: Callable[[Sample], str]) -> list[str]:
        return [value(column.sample) if column.sample else _NONE for column in columns]

    lines = [
        turns.title,
        _row("", [column.name for column in columns], "goal" if goal or gap_goal else ""),
        _row(f"CPU us a {unit}", cells(lambda s: f"{s.cpu_us:.1f}")),
        _row("  times nginx", [f"{one.ratio:.2f}" if one.ratio is not None else _NONE for one in columns], goal),
        _row(f"{unit if unit == 'MiB' else unit + 's'}/s", cells(lambda s: f"{s.per_s:.0f}")),
        _row(f"{span} p50 ms", cells(lambda s: f"{s.p50_us / 1e3:.2f}")),
        _row(f"{span} p99 ms", cells(lambda s: f"{s.p99_us / 1e3:.2f}"), gap_goal),
        _row("core busy %", cells(lambda s: f"{s.core_busy * 100:.0f}")),
        _row("rounds kept, noisy ones dropped", [f"{one.kept}, {one.dropped}" for one in columns]),
    ]
    if turns.to_router is not None:
        lines.append(_row("  gateway, times vllm-router", [_NONE, f"{turns.to_router:.2f}"], "< 1.00"))
    return lines + [_explain(one) for one in columns if one.sample is None]


def _explain(column: Column) -> str:
    if column.errors:
        return f"{column.name}: {column.errors} answers were wrong or missing, so it has no figures"
    return f"{column.name}: no clean round, others used the proxies' core; run it again on an idle machine"


def _render_latency(latency: Latency) -> list[str]:
    names = tuple(latency.lags)
    goal = f"{ADDED_GOAL:.2f}"

    def cells(value: Callable[[Lag], float]) -> list[str]:
        return [f"{value(latency.lags[name]):.0f}" for name in names]

    def times(ratios: dict[str, float]) -> list[str]:
        return [f"{ratios[name]:.2f}" if name in ratios and name != "engine" else _NONE for name in names]

    return [
        "one connection each, asked in turns",
        _row("", names, "goal"),
        _row("answer p50 us", cells(lambda lag: lag.p50_us)),
        _row("answer p99 us", cells(lambda lag: lag.p99_us)),
        _row("added p50 us", cells(lambda lag: lag.added_p50_us)),
        _row("  times nginx", times(dict(latency.ratio_p50)), goal),
        _row("added p99 us", cells(lambda lag: lag.added_p99_us)),
        _row("  times nginx", times(dict(latency.ratio_p99)), goal),
        _row("rounds", [str(len(latency.rounds))]),
    ]


def _render_idle(idle: Idle) -> list[str]:
    title = f"{idle.idle:,} idle connections and {idle.streams:,} slow streams on one process, new in each round"
    if idle.skipped or not idle.rounds:
        return [title, f"not run: {idle.skipped}"]
    names = [name for name in (NGINX, GATEWAY) if name in idle.rounds[0]]

    def cells(value: Callable[[Beside], float], digits: int) -> list[str]:
        return [f"{median(value(one[name]) for one in idle.rounds):,.{digits}f}" for name in names]

    return [
        title,
        _row("", names, "goal"),
        _row("descriptors it may have", cells(lambda one: one.descriptors_max, 0)),
        _row("memory at first MiB", cells(lambda one: one.start_bytes / _MIB, 1)),
        _row("  with idle connections MiB", cells(lambda one: one.idle_bytes / _MIB, 1)),
        _row("  with streams too MiB", cells(lambda one: one.crowd_bytes / _MIB, 1)),
        _row("bytes an idle connection", cells(lambda one: (one.idle_bytes - one.start_bytes) / (idle.idle or 1), 0)),
        _row("bytes a slow stream", cells(lambda one: (one.crowd_bytes - one.idle_bytes) / (idle.streams or 1), 0)),
        _row("others' p50 ms alone", cells(lambda one: one.alone_p50_us / 1e3, 2)),
        _row("  beside the crowd", cells(lambda one: one.crowd_p50_us / 1e3, 2)),
        _row("others' p99 ms alone", cells(lambda one: one.alone_p99_us / 1e3, 2)),
        _row("  beside the crowd", cells(lambda one: one.crowd_p99_us / 1e3, 2)),
        _row(
            "  worse by ms",
            cells(lambda one: (one.crowd_p99_us - one.alone_p99_us) / 1e3, 2),
            f"{WORSE_GOAL_MS:.2f}",
        ),
        _row("rounds", [str(len(idle.rounds))]),
    ]
