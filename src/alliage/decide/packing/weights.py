"""What the rule weighs. Chosen by replays of one published trace and of generated workloads (bench/decide)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Prices are in devices. More streams steady the fill value and cost time in proportion."""

    kind: float = 0.7
    slot: float = 0.03
    opening: float = 2.0
    streams: int = 32
    stream_shapes: int = 80
    cell_milli: int = 0
    """Cpu is rounded down to multiples of it; 0 chooses it by the typical shapes."""
