"""What the rule weighs. Chosen by replays of one published trace and of generated workloads (bench/decide)."""

from dataclasses import dataclass, replace

STREAM_SHAPES_MIN = 4
STREAMS_TIMES = 4
CELLS_EXPONENT, REACH_MIN = 3, 0.01
STAY_OF_CHURN, OPENING_OF_CHURN = 0.6, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Prices are in devices. More streams steady the fill value and cost time in proportion."""

    kind: float = 0.8
    slot: float = 0.025
    opening: float = 3.0
    stay: float = 0.0
    """How likely one request is to be gone when an empty host is wanted; so a host that holds two is by its square."""
    unforeseen: float = 0.03
    """The part of the demand for devices that is taken to be gangs of any size, whatever is typical."""
    streams: int = 32
    stream_shapes: int = 50
    cells_a_request: float = 4.0
    """How many cells of cpu the mean typical request wants at least; cpu is rounded down to whole cells."""
    cell_milli: int = 0
    """The cell; 0 chooses it by the typical shapes."""

    def chances(self) -> tuple[int, ...]:
        """Of a host that holds 0, 1, 2 ... requests to be empty when it is wanted, in 1024ths; the last is 0."""
        chances = [1024]
        while chances[-1] > 0 and len(chances) <= 12:
            chances.append(round(1024 * self.stay ** len(chances)))
        return (*chances[:-1], 0)

    def for_reach(self, reach: float) -> "Weights":
        """For cpu that runs out when only the part `reach` of the devices is filled.

        Room for devices is worth less then. A host sees fewer of the requests to come, for it is soon full: streams are
        shorter, and more of them for the same work. What rounding hides of cpu is then what the hosts run out of: cells are finer.
        """
        shapes = max(min(STREAM_SHAPES_MIN, self.stream_shapes), round(self.stream_shapes * reach**2))
        times = 1
        while times < STREAMS_TIMES and 2 * times * shapes <= self.stream_shapes:
            times *= 2
        return replace(
            self,
            slot=self.slot * reach**2,
            opening=self.opening * reach**2,
            streams=self.streams * times,
            stream_shapes=shapes,
            cells_a_request=self.cells_a_request / max(reach, REACH_MIN) ** CELLS_EXPONENT,
        )

    def for_churn(self) -> "Weights":
        """Where requests leave: a host that holds few is soon empty, and keeping it so is worth more."""
        return replace(self, stay=STAY_OF_CHURN, opening=self.opening * OPENING_OF_CHURN)
