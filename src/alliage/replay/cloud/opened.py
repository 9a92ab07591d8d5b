"""A request of a replayed cloud that has not ended, as its gateway has it."""

from dataclasses import dataclass, field

from alliage.decide.routing.lane import Stay
from alliage.fleet.ids import ReplicaId
from alliage.gateway.failing import Failures
from alliage.gateway.pools import Pool
from alliage.replay.cloud.fates import Fate
from alliage.speed.batching import Ask


@dataclass(slots=True, eq=False)
class Open:
    """A request that has not ended. `told` tokens were given by replicas that are gone."""

    key: int
    fate: Fate
    told: int = 0
    pool: Pool | None = None
    stay: Stay | None = None
    asked: Ask | None = None
    """What its present replica was asked."""
    entered_s: float = 0.0
    first_here_s: float | None = None
    began_holding_s: float | None = None
    held_until_s: float | None = None
    failures: Failures = field(default_factory=Failures)

    @property
    def replica(self) -> ReplicaId | None:
        """Where it is."""
        return None if self.pool is None else self.pool.upstream.replica

    @property
    def has_begun(self) -> bool:
        """Whether its client has heard anything."""
        return bool(self.told) or self.first_here_s is not None

    @property
    def ask(self) -> Ask:
        """What is left of it: what was said before is read as prompt."""
        request = self.fate.request
        return Ask(
            id=str(self.key),
            prompt_tokens=request.prompt_tokens + self.told,
            output_tokens=request.output_tokens - self.told,
        )
