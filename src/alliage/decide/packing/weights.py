"""What the rule weighs. Chosen by replays of one published trace and of generated workloads (bench/decide)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Prices are in devices. More streams steady the fill value and cost time in proportion."""

    kind: float = 0.7
    slot: float = 0.03
    opening: float = 2.0
    stay: float = 0.0
    streams: int = 32
    stream_shapes: int = 80
    cell_milli: int = 0
    """Cpu is rounded down to multiples of it; 0 chooses it by the typical shapes."""

    def chances(self) -> tuple[int, ...]:
        """Of a host that holds 0, 1, 2 ... requests to be empty when it is wanted, in 1024ths; the last is 0."""
        chances = [1024]
        while chances[-1] > 0 and len(chances) <= 12:
            chances.append(round(1024 * self.stay ** len(chances)))
        return (*chances[:-1], 0)
