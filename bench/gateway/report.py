"""Results as values, and their medians. No measuring here; how they read is in table.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from bench.gateway.rivals import NGINX, ROUTER
from bench.gateway.settings import Settings
from bench.gateway.tools import Interpreter

GATEWAY: Final = "gateway"
COUNTED: Final = (NGINX, GATEWAY)
"""A wrong answer of one of these makes the whole run invalid; a rival's only takes its figures away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One window of one proxy. A unit is a request, a token or a MiB of bodies; percentiles are of answers, of gaps for tokens."""

    cpu_us: float
    """CPU microseconds of the proxy a unit."""
    per_s: float
    p50_us: float
    p99_us: float
    core_busy: float
    foreign: float
    errors: int


Round = Mapping[str, Sample]
"""One window of each proxy by its name, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One proxy's medians. A round counts for it where its own window and nginx's are clean; None where none is, or an answer was wrong."""

    name: str
    ratio: float | None
    """CPU a unit, in times nginx's of the same round."""
    sample: Sample | None
    kept: int
    dropped: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """All rounds of one kind: `unit` is what a unit is called, `goal` the ratio that ours is to stay under."""

    title: str
    unit: str
    goal: float | None
    gap_goal_ms: float | None = None
    columns: tuple[Column, ...]
    to_router: float | None
    """Ours in times vllm-router's of the same round; None where that was not measured."""
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What one request after the other took through a proxy, and what of it the proxy added to asking the engine itself."""

    p50_us: float
    p99_us: float
    added_p50_us: float
    added_p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Medians over the rounds, and the median ratios of what is added to what nginx adds."""

    lags: Mapping[str, Lag]
    ratio_p50: Mapping[str, float]
    ratio_p99: Mapping[str, float]
    errors: int
    rounds: tuple[Mapping[str, Lag], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One proxy, new, alone and then with a crowd on it. Bytes are of its processes' memory (RSS)."""

    descriptors_max: int
    start_bytes: int
    idle_bytes: int
    """With all idle connections there."""
    crowd_bytes: int
    """With the streams too, at the window's beginning."""
    alone_p99_us: float
    crowd_p99_us: float
    alone_p50_us: float
    crowd_p50_us: float
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Crowds on nginx and on ours in turns; `skipped` says why there is none."""

    idle: int
    streams: int
    rounds: tuple[Mapping[str, Beside], ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run. `valid` is False when an answer of nginx or ours was wrong or missing: then no figure of it counts."""

    date: str
    valid: bool
    processor: str
    kernel: str
    nginx: str
    python: Interpreter
    settings: Settings
    missing: tuple[str, ...]
    """Rivals that were not run, each with the reason and the way."""
    turns: tuple[Turns, ...] = ()
    latency: Latency | None = None
    idle: Idle | None = None
    tells_use: bool = False
    """The gateway told control the use of its limits."""
    records: int = 0
    """Usage records that the gateway told control."""
    took_s: float = 0.0
    invalid: tuple[str, ...] = field(default=())
    """Where answers of nginx or ours were wrong."""


def summarise(
    title: str,
    unit: str,
    rounds: Sequence[Round],
    foreign_max: float,
    *,
    goal: float | None = None,
    gap_goal_ms: float | None = None,
) -> Turns:
    """Medians over the clean windows of each proxy; errors over all of them."""
    names = tuple(dict.fromkeys(name for one in rounds for name in one))
    return Turns(
        title=title,
        unit=unit,
        goal=goal,
        gap_goal_ms=gap_goal_ms,
        columns=tuple(_column(name, rounds, foreign_max) for name in names),
        to_router=_ratio(clean_rounds(rounds, foreign_max, GATEWAY, ROUTER), GATEWAY, ROUTER),
        rounds=tuple(rounds),
    )


def clean_rounds(rounds: Sequence[Round], foreign_max: float, *names: str) -> list[Round]:
    """Those in which each of these proxies had a window with no more than `foreign_max` of foreign work."""
    return [one for one in rounds if all(name in one and one[name].foreign <= foreign_max for name in names)]


def count_errors(rounds: Sequence[Round], name: str) -> int:
    """Wrong answers of one proxy."""
    return sum(one[name].errors for one in rounds if name in one)


def _ratio(clean: Sequence[Round], name: str, other: str) -> float | None:
    if not clean or count_errors(clean, name) or count_errors(clean, other):
        return None
    return median(one[name].cpu_us / one[other].cpu_us for one in clean if one[other].cpu_us)


def _column(name: str, rounds: Sequence[Round], foreign_max: float) -> Column:
    errors, had = count_errors(rounds, name), sum(name in one for one in rounds)
    clean = clean_rounds(rounds, foreign_max, NGINX, name)
    return Column(
        name=name,
        ratio=None if errors else _ratio(clean, name, NGINX),
        sample=None if errors else _middle([one[name] for one in clean]),
        kept=len(clean),
        dropped=had - len(clean),
        errors=errors,
    )


def _middle(samples: Sequence[Sample]) -> Sample | None:
    if not samples:
        return None

    def of(value: Callable[[Sample], float]) -> float:
        return median(value(sample) for sample in samples)

    return Sample(
        cpu_us=of(lambda s: s.cpu_us),
        per_s=of(lambda s: s.per_s),
        p50_us=of(lambda s: s.p50_us),
        p99_us=of(lambda s: s.p99_us),
        core_busy=of(lambda s: s.core_busy),
        foreign=of(lambda s: s.foreign),
        errors=sum(sample.errors for sample in samples),
    )


def summarise_latency(rounds: Sequence[Mapping[str, Lag]], errors: int) -> Latency:
    """Medians; ratios are of the same round, and only where nginx added something that can be divided by."""
    names = tuple(rounds[0]) if rounds else ()

    def of(name: str, value: Callable[[Lag], float]) -> float:
        return median(value(one[name]) for one in rounds)

    def ratios(value: Callable[[Lag], float]) -> dict[str, float]:
        usable = [one for one in rounds if NGINX in one and value(one[NGINX]) > 0]
        return {name: median(value(one[name]) / value(one[NGINX]) for one in usable) for name in names if usable}

    lags = {
        name: Lag(
            p50_us=of(name, lambda lag: lag.p50_us),
            p99_us=of(name, lambda lag: lag.p99_us),
            added_p50_us=of(name, lambda lag: lag.added_p50_us),
            added_p99_us=of(name, lambda lag: lag.added_p99_us),
        )
        for name in names
    }
    return Latency(
        lags=lags,
        ratio_p50=ratios(lambda lag: lag.added_p50_us),
        ratio_p99=ratios(lambda lag: lag.added_p99_us),
        errors=errors,
        rounds=tuple(rounds),
    )
