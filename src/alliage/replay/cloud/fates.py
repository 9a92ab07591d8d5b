"""What became of requests, and counts of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.services import Objective
from alliage.replay.requests.trace import Request


class Piece(NamedTuple):
    """What one replica said of an answer."""

    replica: ReplicaId
    tokens: int


@dataclass(slots=True)
class Fate:
    """One request from its arrival to its end. Times are NaN where that never came."""

    service: ServiceName
    request: Request
    objective: Objective
    first_s: float = nan
    ended_s: float = nan
    is_answered: bool = False
    held_s: float = 0.0
    """What it waited for a replica to be there."""
    continued: int = 0
    """How often another replica went on with it."""
    door: str = ""
    """The gateway that it came to."""
    is_named: bool = False
    """Whether its gateway knew the service that it named."""
    why: str = ""
    """What its client was told where it was not answered."""
    status: int = 0
    """The status of that; 0 where the connection just closed."""
    ends: int = 0
    """How often it ended."""
    pieces: list[Piece] = field(default_factory=list)

    @property
    def ttft_s(self) -> float:
        """Seconds from its arrival to its first token."""
        return self.first_s - self.request.at_s

    @property
    def tpot_s(self) -> float:
        """Seconds a token after the first; 0 for an answer of one token."""
        more = self.request.output_tokens - 1
        return (self.ended_s - self.first_s) / more if more else 0.0

    @property
    def is_kept(self) -> bool:
        """Whether it was answered as was promised."""
        asked = self.objective
        in_time = asked.ttft_s is None or self.ttft_s <= asked.ttft_s
        return self.is_answered and in_time and (asked.tpot_s is None or self.tpot_s <= asked.tpot_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Of some requests, how many; and as shares of them: kept, refused, held for a replica, answered but too late or too slow."""

    requests: int
    kept: float
    refused: float
    held: float
    late: float
    slow: float


def tally(fates: Sequence[Fate]) -> Tally:
    """Count them."""
    count = max(1, len(fates))

    def share(holds: Callable[[Fate], bool]) -> float:
        return sum(map(holds, fates)) / count

    def is_late(fate: Fate) -> bool:
        return fate.is_answered and fate.objective.ttft_s is not None and fate.ttft_s > fate.objective.ttft_s

    def is_slow(fate: Fate) -> bool:
        return fate.is_answered and fate.objective.tpot_s is not None and fate.tpot_s > fate.objective.tpot_s

    return Tally(
        requests=len(fates),
        kept=share(lambda fate: fate.is_kept),
        refused=share(lambda fate: not fate.is_answered),
        held=share(lambda fate: fate.held_s > 0),
        late=share(is_late),
        slow=share(is_slow),
    )
