"""The gateways of a replayed cloud, and what may befall them: their line to control is away, they see nothing, they die."""

from collections.abc import Callable

from alliage.control.observed import DoorReport
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import RoutingTable
from alliage.gateway.limits import GatewayLimits
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.door import Door
from alliage.replay.cloud.engines import Engines
from alliage.replay.cloud.fates import Fate
from alliage.speed.batching import Step


class Doors:
    """Implements Doors. Requests of all are in one list, in their order."""

    def __init__(
        self,
        clock: VirtualClock,
        engines: Engines,
        limits: GatewayLimits,
        answers: Callable[[ReplicaId], bool],
        *,
        count: int = 1,
    ) -> None:
        self._clock = clock
        self._engines = engines
        self._limits = limits
        self._answers = answers
        self._newest: RoutingTable | None = None
        self.away: set[str] = set()
        """They have yet to dial control again, and work by their last table."""
        self.fates: list[Fate] = []
        names = ["door", *(f"door-{number}" for number in range(2, count + 1))]
        self.all = [self._begun(name) for name in names]

    def push(self, table: RoutingTable) -> None:
        """Those that are on the line take it at once, others when they come back."""
        self._newest = table
        for door in self.all:
            if door.name not in self.away:
                door.push(table)

    def observe(self) -> tuple[DoorReport, ...]:
        """Of those that are on the line."""
        return tuple(door.report() for door in self.all if door.name not in self.away)

    def stepped(self, step: Step, at_s: float) -> None:
        """Some requests got their first token, or their last."""
        for door in self.all:
            door.stepped(step, at_s)

    def broke(self, replica: ReplicaId) -> None:
        """Its connections closed."""
        for door in self.all:
            door.broke(replica)

    def expire(self) -> None:
        """Act on what took too long."""
        for door in self.all:
            door.expire()

    @property
    def is_idle(self) -> bool:
        """Whether every request has ended."""
        return all(door.is_idle for door in self.all)

    def restart(self, number: int, *, is_away: bool = False) -> None:
        """The process dies with all that it was answering, and is there again: with the newest table, unless control is away."""
        old = self.all[number]
        old.die()
        self.all[number] = door = self._begun(old.name)
        if is_away:
            self.away.add(door.name)
        elif door.name not in self.away and self._newest is not None:
            door.push(self._newest)

    def come_back(self) -> None:
        """All have dialled control, and got the newest table."""
        away, self.away = self.away, set()
        for door in self.all:
            if door.name in away and self._newest is not None:
                door.push(self._newest)

    def _begun(self, name: str) -> Door:
        return Door(self._clock, self._engines, self._limits, self._answers, name=name, fates=self.fates)
