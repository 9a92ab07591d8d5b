"""The gateway of a replayed cloud: it routes by the real decision, holds, goes on elsewhere, and counts as the gateway does."""

from dataclasses import dataclass, field

from alliage.control.observed import DoorReport
from alliage.decide.route import choose
from alliage.decide.routing.board import Board
from alliage.decide.routing.lane import Stay
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.routing import Route, RoutingTable, Upstream
from alliage.fleet.services import UNASKED
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.stats import ReplicaStats, ServiceStats
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.engines import Engines
from alliage.replay.cloud.fates import Fate
from alliage.replay.requests.trace import Request
from alliage.speed.batching import Ask, Step


@dataclass(slots=True, eq=False)
class _Open:
    """A request that has not ended. `told` tokens were given by replicas that are gone."""

    key: int
    fate: Fate
    told: int = 0
    replica: ReplicaId | None = None
    stay: Stay | None = None
    entered_s: float = 0.0
    first_here_s: float | None = None
    began_holding_s: float | None = None
    held_until_s: float | None = None
    excluded: frozenset[ReplicaId] = field(default_factory=frozenset)

    @property
    def ask(self) -> Ask:
        """What is left of it: what was said before is read as prompt."""
        request = self.fate.request
        return Ask(
            id=str(self.key),
            prompt_tokens=request.prompt_tokens + self.told,
            output_tokens=request.output_tokens - self.told,
        )


class Door:
    """Implements Doors. What it is told of engines comes in order of time."""

    def __init__(self, clock: VirtualClock, engines: Engines, limits: GatewayLimits) -> None:
        self._clock = clock
        self._engines = engines
        self._hold_s = limits.hold_s
        self._board = Board()
        self._began_s = clock.now_s()
        self._table: RoutingTable | None = None
        self._routes: dict[ServiceName, Route] = {}
        self._open: dict[int, _Open] = {}
        self._held: list[_Open] = []
        self._by_service: dict[ServiceName, ServiceStats] = {}
        self._by_replica: dict[ReplicaId, ReplicaStats] = {}
        self.fates: list[Fate] = []

    # what clients do

    def arrive(self, service: ServiceName, request: Request) -> None:
        """A whole request is there."""
        route = self._routes.get(service)
        fate = Fate(service, request, UNASKED if route is None else route.objective)
        one = _Open(len(self.fates), fate)
        self.fates.append(fate)
        self._open[one.key] = one
        self._stats(service).asked += 1
        self._route(one, request.at_s)

    # what engines do

    def stepped(self, step: Step, at_s: float) -> None:
        """Some requests got their first token, or their last."""
        for key in map(int, step.first):
            self._first(self._open[key], at_s)
        for key in map(int, step.done):
            self._whole(self._open[key], at_s)

    def broke(self, replica: ReplicaId) -> None:
        """Its engine is gone: what it was answering goes on elsewhere. Called while its tokens can still be counted."""
        now_s = self._clock.t_s
        for one in [each for each in self._open.values() if each.replica == replica]:
            one.told += self._engines.produced(replica, str(one.key))
            one.excluded |= {replica}
            if one.stay is not None:
                one.stay.leave(now_s)
            self._by_replica[replica].failed += 1
            self._leave(one, now_s)
            one.fate.continued += one.told > 0
            self._stats(one.fate.service).continued += one.told > 0
            self._route(one, now_s)

    # what control does

    def push(self, table: RoutingTable) -> None:
        """Work by it at once."""
        self._table, self._routes = table, dict(table.routes)
        upstreams = [each for route in table.routes.values() for each in route.upstreams]
        self._board.take(upstreams, table.routes)
        there = {each.replica for each in upstreams}
        for replica, stats in list(self._by_replica.items()):
            if replica not in there and not stats.in_flight:
                del self._by_replica[replica]
        self._try_held()

    def observe(self) -> tuple[DoorReport, ...]:
        """What it saw until now."""
        now_s = self._clock.t_s
        held: dict[ServiceName, int] = {}
        for one in self._held:
            held[one.fate.service] = held.get(one.fate.service, 0) + 1
        report = DoorReport(
            door="door",
            table_version=0 if self._table is None else self._table.version,
            in_flight=self._board.in_flight(),
            heard_s=now_s,
            counted_s=now_s,
            traffic={name: stats.traffic(held.get(name, 0)) for name, stats in self._by_service.items()},
            replicas={replica: stats.traffic(now_s) for replica, stats in self._by_replica.items()},
        )
        return (report,)

    def expire(self) -> None:
        """Refuse what has waited for too long."""
        self._try_held()

    @property
    def is_idle(self) -> bool:
        """Whether every request has ended."""
        return not self._open

    def _try_held(self) -> None:
        held, self._held = self._held, []
        for one in held:
            self._route(one, self._clock.t_s)

    def _route(self, one: _Open, now_s: float) -> None:
        """Send it to a replica, hold it, or say no."""
        route = self._routes.get(one.fate.service)
        upstream = None if route is None else self._choose(one, route, now_s)
        if upstream is not None:
            self._send(one, upstream, now_s)
        elif route is None or (route.refusal and not one.told):
            self._refuse(one, now_s)
        else:
            self._hold(one, now_s)

    def _choose(self, one: _Open, route: Route, now_s: float) -> Upstream | None:
        ask = one.ask
        able = [each for each in route.upstreams if self._engines.takes(each.replica, ask)]
        prompt = Prompt(ask.prompt_tokens, (), [])
        return choose(
            able,
            prompt,
            self._board,
            service=route.service,
            now_s=now_s,
            objective=route.objective,
            excluded=one.excluded,
        )

    def _send(self, one: _Open, upstream: Upstream, now_s: float) -> None:
        fate, replica = one.fate, upstream.replica
        if one.began_holding_s is not None:
            fate.held_s += now_s - one.began_holding_s
            one.began_holding_s = None
        prompt = Prompt(fate.request.prompt_tokens + one.told, (), [])
        one.stay = self._board.begin(upstream, prompt, service=fate.service, now_s=now_s)
        one.replica, one.entered_s, one.first_here_s = replica, now_s, None
        stats = self._by_replica.get(replica)
        if stats is None:
            stats = self._by_replica[replica] = ReplicaStats()
            stats.began_s = self._began_s
        stats.enter(now_s)
        self._stats(fate.service).in_flight += 1
        self._engines.submit(replica, one.ask, now_s)

    def _hold(self, one: _Open, now_s: float) -> None:
        if one.held_until_s is None:
            one.held_until_s = now_s + self._hold_s
        if one.began_holding_s is None:
            one.began_holding_s = now_s
        if now_s < one.held_until_s:
            self._held.append(one)
        else:
            self._refuse(one, now_s)

    def _refuse(self, one: _Open, now_s: float) -> None:
        fate = one.fate
        fate.held_s += 0.0 if one.began_holding_s is None else now_s - one.began_holding_s
        stats = self._stats(fate.service)
        stats.failed += 1
        stats.missed += fate.objective.is_asked
        self._end(one, now_s)

    def _first(self, one: _Open, at_s: float) -> None:
        if one.stay is not None:
            one.stay.first_token(at_s)
        one.first_here_s = at_s
        stats = self._of(one)
        stats.first_tokens += 1
        stats.ttft_s += at_s - one.entered_s
        if not one.told:
            one.fate.first_s = at_s
            self._stats(one.fate.service).ttft.add(at_s - one.fate.request.at_s)

    def _whole(self, one: _Open, at_s: float) -> None:
        fate, request, stats, replica = one.fate, one.fate.request, self._stats(one.fate.service), self._of(one)
        own = request.output_tokens - one.told
        if one.stay is not None:
            one.stay.end(at_s, 0 if one.told else own)
        replica.answered += 1
        replica.input_tokens += request.prompt_tokens + one.told
        replica.output_tokens += own
        if one.first_here_s is not None and own > 1:
            replica.decode_tokens += own - 1
            replica.decode_s += at_s - one.first_here_s
        stats.answered += 1
        stats.tokens_counted += 1
        stats.prompt_tokens += request.prompt_tokens
        stats.completion_tokens += request.output_tokens
        self._leave(one, at_s)
        fate.is_answered = True
        self._end(one, at_s)
        if request.output_tokens > 1:
            stats.tpot.add(fate.tpot_s)
        if fate.objective.is_asked:
            stats.kept += fate.is_kept
            stats.missed += not fate.is_kept

    def _leave(self, one: _Open, at_s: float) -> None:
        """It is taken from its replica."""
        self._of(one).leave(at_s)
        self._stats(one.fate.service).in_flight -= 1
        one.replica = None

    def _end(self, one: _Open, at_s: float) -> None:
        one.fate.ended_s = at_s
        del self._open[one.key]

    def _of(self, one: _Open) -> ReplicaStats:
        if one.replica is None:
            raise ValueError(f"request {one.key} is at no replica")
        return self._by_replica[one.replica]

    def _stats(self, service: ServiceName) -> ServiceStats:
        stats = self._by_service.get(service)
        if stats is None:
            stats = self._by_service[service] = ServiceStats()
            stats.began_s = self._began_s
        return stats
