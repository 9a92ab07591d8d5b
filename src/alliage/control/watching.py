"""watching: reports of the gateways -> what is asked of each service. What it keeps in memory can be lost without harm."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from alliage.control.observed import DoorReport
from alliage.decide.demand import GRID, LENGTHS_FIRST, LENGTHS_LEAST, WINDOW_S, Tide, rounded_up, settled_length
from alliage.fleet.demand import Demand
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.fleet.view import FleetView

ANSWERED_TIMES: Final = 2
"""So many times as many must be answered as are in work before their lengths are believed: of a burst, short answers end first."""


@dataclass(slots=True)
class _Watched:
    """One service."""

    since_s: float
    tide: Tide
    asked_s: float
    """When something of it was last seen: a request, one that waits, one in work."""
    in_flight: int = 0
    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    busy_s: float = 0.0
    served: int = 0
    lengths: tuple[int, int] | None = None
    stay_s: float | None = None
    woke_s: float = 0.0
    """When it was asked for again after nothing was held of what it was asked."""
    asked_since: int = 0
    """How much since then."""
    usual_rps: float = 0.0
    """What it was asked in the mean when it was asked last, once that was known."""


@dataclass(slots=True)
class Watching:
    """Takes the reports of all gateways at each pass. Times are monotonic; `hold_s`, `idle_s` and `rest_s` as in LoopSettings.

    After a rest a service is taken to be asked what it was asked before, until a minute of it was seen.
    """

    began_s: float
    """Seconds since 1970: what gateways counted before is not known by when."""
    hold_s: float
    idle_s: float
    rest_s: float
    can_rest: Callable[[FleetView, ServiceName], bool]
    """Whether what serves it now could sleep."""
    _services: dict[ServiceName, _Watched] = field(default_factory=dict)
    _traffic: dict[tuple[str, ServiceName], Traffic] = field(default_factory=dict)
    _replicas: dict[tuple[str, ReplicaId], ReplicaTraffic] = field(default_factory=dict)

    def look(
        self, view: FleetView, doors: Iterable[DoorReport], *, now_s: float, wall_s: float
    ) -> dict[ServiceName, Demand]:
        """The demand of each service of the view."""
        doors = tuple(doors)
        found: dict[ServiceName, Demand] = {}
        for service in view.services:
            watched = self._services.get(service.name)
            if watched is None:
                watched = _Watched(since_s=now_s, tide=Tide(self.hold_s), asked_s=now_s)
                self._services[service.name] = watched
            rests = self.can_rest(view, service.name)
            idle_s = self.rest_s if rests else self.idle_s
            if rests and now_s - watched.asked_s >= self.rest_s:
                watched.tide = Tide(self.rest_s)  # it sleeps: what was asked before is not held
            watched.tide.hold_s = self.rest_s if rests else self.hold_s
            self._add(service.name, watched, doors, now_s)
            asked_ago_s = wall_s - max(service.asked_s, service.created_s)
            wanted = now_s - watched.asked_s < idle_s or 0 <= asked_ago_s < self.idle_s
            found[service.name] = self._demand(watched, now_s, is_wanted=wanted)
        self._add_replicas(view, doors)
        for name in self._services.keys() - found.keys():
            del self._services[name]
        return found

    def _add(self, name: ServiceName, watched: _Watched, doors: tuple[DoorReport, ...], now_s: float) -> None:
        asked, busy, in_flight = 0, False, 0
        for door in doors:
            now = door.traffic.get(name)
            if now is None:
                continue
            new = now.since(self._traffic.get((door.door, name)))
            if (door.door, name) not in self._traffic and now.began_s < self.began_s:
                new = Traffic()
            self._traffic[door.door, name] = now
            asked += new.asked
            in_flight += now.in_flight
            busy = busy or bool(now.held or now.in_flight or new.asked)
            watched.answers += new.tokens_counted
            watched.input_tokens += new.input_tokens
            watched.output_tokens += new.output_tokens
        watched.in_flight = in_flight
        if asked and not watched.tide.rate_rps:
            watched.woke_s, watched.asked_since = now_s, 0
        watched.tide.add(now_s, asked)
        watched.asked_since += asked
        if asked and (for_s := now_s - watched.woke_s) >= WINDOW_S:
            watched.usual_rps = rounded_up(watched.asked_since / for_s, GRID)
        if busy:
            watched.asked_s = now_s

    def _add_replicas(self, view: FleetView, doors: tuple[DoorReport, ...]) -> None:
        """How long engines are busy with a request, in the mean."""
        service_of = {replica.id: replica.service for replica in view.replicas}
        seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = {}
        for door in doors:
            for replica, now in door.replicas.items():
                seen[door.door, replica] = now
                watched = self._services.get(service_of.get(replica, ServiceName("")))
                if watched is not None and (door.door, replica) in self._replicas:
                    new = now.since(self._replicas.get((door.door, replica)))
                    watched.busy_s += new.busy_s
                    watched.served += new.answered
        self._replicas = seen

    def _demand(self, watched: _Watched, now_s: float, *, is_wanted: bool) -> Demand:
        """As before where it says the same."""
        first = watched.lengths is None
        enough = max(LENGTHS_FIRST if first else LENGTHS_LEAST, ANSWERED_TIMES * watched.in_flight)
        if watched.answers >= enough:
            before = watched.lengths or (None, None)
            watched.lengths = (
                settled_length(watched.input_tokens / watched.answers, before[0]),
                settled_length(watched.output_tokens / watched.answers, before[1]),
            )
            watched.answers = watched.input_tokens = watched.output_tokens = 0
        if watched.served >= (LENGTHS_FIRST if watched.stay_s is None else LENGTHS_LEAST):
            mean_s = watched.busy_s / watched.served
            if watched.stay_s is None or not watched.stay_s / 1.5 <= mean_s <= watched.stay_s * 1.5:
                watched.stay_s = mean_s or None
            watched.served, watched.busy_s = 0, 0.0
        input_tokens, output_tokens = watched.lengths or (None, None)
        again_rps = watched.usual_rps if now_s - watched.woke_s < WINDOW_S and watched.tide.rate_rps else 0.0
        return Demand(
            rate_rps=max(watched.tide.rate_rps, again_rps),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            service_s=watched.stay_s,
            is_wanted=is_wanted,
            needed_before_s=self.began_s if now_s - watched.since_s < watched.tide.hold_s else 0.0,
        )
