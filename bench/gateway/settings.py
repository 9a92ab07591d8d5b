"""What a run of the benchmark does: how many clients, how long, how often. Values only."""

from dataclasses import dataclass, field
from typing import Final

SECTIONS: Final = ("requests", "streams", "latency", "litellm", "prompts", "idle")
"""Parts of the table, in the order in which they run."""
KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """One window: seconds of warm-up before it, in which streams also begin, and seconds that are measured."""

    warm_s: float
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A crowd on one proxy, and the pace of the others that ask meanwhile."""

    idle: int
    streams: int
    interval_us: int = 2_000_000
    """Between two tokens of a slow stream."""
    others_per_s: float = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run. Each kind of round has a number of clean ones wanted, and how many are tried before it gives up."""

    rounds: int
    few: int
    """Clean rounds wanted where a round is long or a figure is only beside the others."""
    tries: int
    """Rounds tried for each one wanted."""
    connections: int = 64
    request: Spans
    streams: int = 200
    many_streams: int = 600
    """What one core is to hold."""
    interval_us: int = 20_000
    """Between two tokens of one stream."""
    stream: Spans
    latency: Spans
    litellm: Spans
    litellm_streams: int = 8
    prompt_connections: int = 16
    prompts_bytes: tuple[int, ...] = (64 * KIB, 512 * KIB)
    prompt: Spans
    crowd: Crowd = field(default_factory=lambda: Crowd(idle=6_000, streams=4_000))
    crowd_spans: Spans
    foreign_max: float = 0.13
    """Share of the proxy's core that others may use in a window; a window above it is dropped."""


ANY_FOREIGN: Final = 9.0
"""A share that no window reaches: every round is kept."""
FULL: Final = Settings(
    rounds=5,
    few=3,
    tries=2,
    request=Spans(warm_s=1.0, window_s=4.0),
    stream=Spans(warm_s=1.2, window_s=5.0),
    latency=Spans(warm_s=0.5, window_s=4.0),
    litellm=Spans(warm_s=3.0, window_s=5.0),
    prompt=Spans(warm_s=0.5, window_s=3.0),
    crowd_spans=Spans(warm_s=1.0, window_s=6.0),
)
SHORT: Final = Settings(
    rounds=1,
    few=1,
    tries=1,
    many_streams=250,
    request=Spans(warm_s=0.2, window_s=0.4),
    stream=Spans(warm_s=0.4, window_s=0.6),
    latency=Spans(warm_s=0.1, window_s=0.3),
    litellm=Spans(warm_s=2.0, window_s=2.0),
    prompt=Spans(warm_s=0.2, window_s=0.3),
    crowd=Crowd(idle=100, streams=50, interval_us=200_000, others_per_s=200.0),
    crowd_spans=Spans(warm_s=0.2, window_s=0.5),
)
"""A smoke test: it shows that everything runs, its figures mean nothing."""

REQUEST_GOAL: Final = 2.0
TOKEN_GOAL: Final = 1.3
ADDED_GOAL: Final = 2.0
"""Times nginx's, under the distribution's own Python."""
GAP_GOAL_MS: Final = 30.0
"""p99 between two tokens of a stream, with as many streams as one core is to hold."""
WORSE_GOAL_MS: Final = 5.0
"""By how much the p99 of others may grow beside a crowd."""
