"""What a run of the benchmark does: how many clients, how long, how often. Values only."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run. Windows are what is measured; each has a warm-up before it, in which streams also begin."""

    rounds: int
    """Clean pairs wanted of each kind."""
    tries: int
    """Pairs of each kind before it gives up."""
    connections: int = 64
    request_warm_s: float
    request_window_s: float
    streams: int = 200
    interval_us: int = 20_000
    """Between two tokens of one stream."""
    stream_warm_s: float
    stream_window_s: float
    foreign_max: float = 0.13
    """Share of the proxy's core that others may use in a window; a pair above it is dropped."""


FULL: Final = Settings(
    rounds=7,
    tries=21,
    request_warm_s=1.0,
    request_window_s=4.0,
    stream_warm_s=1.2,
    stream_window_s=5.0,
)
SHORT: Final = Settings(
    rounds=1,
    tries=1,
    request_warm_s=0.3,
    request_window_s=0.5,
    stream_warm_s=0.5,
    stream_window_s=0.8,
)
"""A smoke test: it shows that everything runs, its figures mean nothing."""

REQUEST_GOAL: Final = 3.0
TOKEN_GOAL: Final = 1.5
"""Times nginx's CPU, under the distribution's own Python."""
