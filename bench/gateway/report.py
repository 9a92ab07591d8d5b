"""Results as values, their medians, and how they read. No measuring here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.gateway.settings import REQUEST_GOAL, TOKEN_GOAL, Settings
from bench.gateway.tools import ROOT, Interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One window of one proxy. A unit is a request or a token; for tokens the percentiles are of gaps in a stream."""

    cpu_us: float
    """CPU microseconds of the proxy a unit."""
    per_s: float
    p50_us: float
    p99_us: float
    core_busy: float
    foreign: float
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """nginx and the gateway, measured one after the other."""

    nginx: Sample
    gateway: Sample

    @property
    def ratio(self) -> float:
        """CPU a unit, in times nginx."""
        return self.gateway.cpu_us / self.nginx.cpu_us

    @property
    def foreign(self) -> float:
        """The worse of its two windows."""
        return max(self.nginx.foreign, self.gateway.foreign)

    @property
    def errors(self) -> int:
        """Of both."""
        return self.nginx.errors + self.gateway.errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All pairs of one kind. Medians are over the clean ones and None when there is none."""

    ratio: float | None
    nginx: Sample | None
    gateway: Sample | None
    kept: int
    dropped: int
    errors: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one interpreter's gateway did."""

    python: Interpreter
    requests: Result
    tokens: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run. `valid` is False when any answer was wrong or missing: then no figure of it counts."""

    date: str
    valid: bool
    processor: str
    kernel: str
    nginx: str
    settings: Settings
    passes: tuple[Pass, ...]


def summarise(pairs: Sequence[Pair], foreign_max: float) -> Result:
    """Medians over the pairs with no more than `foreign_max` of foreign work; errors over all of them."""
    clean = [pair for pair in pairs if pair.foreign <= foreign_max]
    return Result(
        ratio=median(pair.ratio for pair in clean) if clean else None,
        nginx=_middle([pair.nginx for pair in clean]),
        gateway=_middle([pair.gateway for pair in clean]),
        kept=len(clean),
        dropped=len(pairs) - len(clean),
        errors=sum(pair.errors for pair in pairs),
        pairs=tuple(pairs),
    )


def _middle(samples: Sequence[Sample]) -> Sample | None:
    if not samples:
        return None

    def of(field: Callable[[Sample], float]) -> float:
        return median(field(sample) for sample in samples)

    return Sample(
        cpu_us=of(lambda s: s.cpu_us),
        per_s=of(lambda s: s.per_s),
        p50_us=of(lambda s: s.p50_us),
        p99_us=of(lambda s: s.p99_us),
        core_busy=of(lambda s: s.core_busy),
        foreign=of(lambda s: s.foreign),
        errors=sum(sample.errors for sample in samples),
    )


def render(report: Report) -> str:
    """The report for people."""
    settings, pace = report.settings, 1e6 / report.settings.interval_us
    lines = [
        f"Alliage's gateway against {report.nginx}, {report.date}",
        f"{report.processor}, Linux {report.kernel}; proxy on one core, everything else on another",
        f"{settings.connections} connections in a closed loop; {settings.streams} streams of {pace:g} tokens/s each",
    ]
    for one in report.passes:
        lines += ["", *_render_pass(one)]
    if not report.valid:
        lines += ["", "INVALID: an answer was wrong or missing, so no figure above counts"]
    return "\n".join(lines)


def _render_pass(one: Pass) -> list[str]:
    return [
        f"gateway under {_shorten(one.python.path)}: Python {one.python.version}",
        f"{'':28}{'nginx':>10}{'gateway':>10}{'ratio':>8}{'goal':>8}",
        *_render_result(one.requests, "request", REQUEST_GOAL),
        *_render_result(one.tokens, "token", TOKEN_GOAL),
        f"{'errors':28}{_count(one, 'nginx'):>10}{_count(one, 'gateway'):>10}",
        f"{'pairs kept':28}{one.requests.kept:10} of requests{one.tokens.kept:10} of streams",
        f"{'dropped for foreign work':28}{one.requests.dropped:10}{one.tokens.dropped:22}",
    ]


def _shorten(path: str) -> str:
    return str(Path(path).relative_to(ROOT)) if Path(path).is_relative_to(ROOT) else path


def _render_result(result: Result, unit: str, goal: float) -> list[str]:
    if result.ratio is None or result.nginx is None or result.gateway is None:
        return [f"no clean pair of {unit}s: others used the proxy's core; run it again on an idle machine"]
    ours, theirs = result.gateway, result.nginx
    span = "answer" if unit == "request" else "gap"
    return [
        f"{f'CPU us a {unit}':28}{theirs.cpu_us:10.1f}{ours.cpu_us:10.1f}{result.ratio:8.2f}{goal:8.2f}",
        f"{f'{unit}s/s':28}{theirs.per_s:10.0f}{ours.per_s:10.0f}",
        f"{f'{span} p50 ms':28}{theirs.p50_us / 1e3:10.2f}{ours.p50_us / 1e3:10.2f}",
        f"{f'{span} p99 ms':28}{theirs.p99_us / 1e3:10.2f}{ours.p99_us / 1e3:10.2f}",
        f"{'core busy %':28}{theirs.core_busy * 100:10.0f}{ours.core_busy * 100:10.0f}",
    ]


def _count(one: Pass, side: str) -> int:
    pairs = (*one.requests.pairs, *one.tokens.pairs)
    return sum((pair.nginx if side == "nginx" else pair.gateway).errors for pair in pairs)
