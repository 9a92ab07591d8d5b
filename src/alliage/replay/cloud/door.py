"""A gateway of a replayed cloud: it routes by the real decision, fails by the real policy, holds, goes on elsewhere, and counts.

What the gateway's `exchange` does over sockets is done here at once: a connection is accepted or not, an engine's answer is a count of tokens.
"""

from collections.abc import Callable, Sequence
from typing import Final

from alliage.control.observed import DoorReport
from alliage.decide.route import choose
from alliage.decide.routing.board import Board
from alliage.decide.routing.prompt import Prompt
from alliage.engines.continuing import CONTINUES
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.routing import Route, RoutingTable, Upstream
from alliage.fleet.services import UNASKED
from alliage.gateway import problems
from alliage.gateway.failing import no_upstream, waited_for
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.pools import Pool
from alliage.gateway.problems import Problem
from alliage.gateway.stats import ReplicaStats, ServiceStats
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.engines import Engines
from alliage.replay.cloud.fates import Fate, Piece
from alliage.replay.cloud.opened import Open
from alliage.replay.cloud.reaching import Reaching
from alliage.replay.requests.trace import Request
from alliage.speed.batching import Step

CLOSED: Final = "its gateway is gone, and so is the connection"
LEFT: Final = "its client left"


class Door:
    """One gateway process. What it is told of engines comes in order of time."""

    def __init__(
        self,
        clock: VirtualClock,
        engines: Engines,
        limits: GatewayLimits,
        answers: Callable[[ReplicaId], bool],
        *,
        name: str = "door",
        fates: list[Fate] | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._engines = engines
        self._limits = limits
        self._board = Board()
        self.reach = Reaching(clock, limits, answers)
        self._began_s = clock.now_s()
        self.table: RoutingTable | None = None
        self._routes: dict[ServiceName, Route] = {}
        self.open: dict[int, Open] = {}
        self.held: list[Open] = []
        self._by_service: dict[ServiceName, ServiceStats] = {}
        self._by_replica: dict[ReplicaId, ReplicaStats] = {}
        self.first_key = len(fates or ())
        """Its requests have keys from here on; those before were another process's."""
        self.fates: list[Fate] = [] if fates is None else fates
        """Of all its requests, and of those of others where they share them."""

    # what clients do

    def arrive(self, service: ServiceName, request: Request) -> None:
        """A whole request is there."""
        route = self._routes.get(service)
        fate = Fate(service, request, UNASKED if route is None else route.objective, door=self.name)
        one = Open(len(self.fates), fate)
        self.fates.append(fate)
        self.open[one.key] = one
        self._route(one, request.at_s)

    def leave(self, key: int) -> None:
        """Its client is gone: so is what the engine had of it."""
        one, now_s = self.open[key], self._clock.t_s
        if one.replica is not None:
            self._engines.cancel(one.replica, str(key))
            self._leave(one, now_s)
        self.held = [each for each in self.held if each is not one]
        one.fate.why = LEFT
        self._end(one, now_s)

    def die(self) -> None:
        """The process is gone: each of its connections closes, to clients and to engines."""
        for one in list(self.open.values()):
            if one.replica is not None:
                self._engines.cancel(one.replica, str(one.key))
            one.fate.why = CLOSED
            self._end(one, self._clock.t_s)
        self.held.clear()

    # what engines do

    def stepped(self, step: Step, at_s: float) -> None:
        """Some requests got their first token, or their last; those of other gateways are passed over."""
        for key in map(int, step.first):
            if key in self.open:
                self._first(self.open[key], at_s)
        for key in map(int, step.done):
            if key in self.open:
                self._whole(self.open[key], at_s)

    def broke(self, replica: ReplicaId) -> None:
        """Its connections closed: what it was answering goes on elsewhere. Called while its tokens can still be counted."""
        for one in [each for each in self.open.values() if each.replica == replica]:
            self._lose(one, "it closed the connection")

    # what control does

    def push(self, table: RoutingTable) -> None:
        """Work by it at once."""
        self.table, self._routes = table, dict(table.routes)
        upstreams = [each for route in table.routes.values() for each in route.upstreams]
        self.reach.take({each.replica: each for each in upstreams})
        self._board.take(upstreams, table.routes)
        there = {each.replica for each in upstreams}
        for replica, stats in list(self._by_replica.items()):
            if replica not in there and not stats.in_flight:
                del self._by_replica[replica]
        self._try_held()

    def report(self) -> DoorReport:
        """What it saw until now."""
        now_s = self._clock.t_s
        held: dict[ServiceName, int] = {}
        for one in self.held:
            held[one.fate.service] = held.get(one.fate.service, 0) + 1
        return DoorReport(
            door=self.name,
            table_version=0 if self.table is None else self.table.version,
            in_flight=self._board.in_flight(),
            heard_s=now_s,
            counted_s=now_s,
            traffic={name: stats.traffic(held.get(name, 0)) for name, stats in self._by_service.items()},
            replicas={replica: stats.traffic(now_s) for replica, stats in self._by_replica.items()},
            unreachable=self.reach.unreachable(),
        )

    def expire(self) -> None:
        """Act on what took too long."""
        self.reach.try_doubted()
        for one in list(self.open.values()):
            if one.pool is not None:
                self._look_at(one, one.pool)
        self._try_held()

    @property
    def is_idle(self) -> bool:
        """Whether every request has ended."""
        return not self.open

    def _look_at(self, one: Open, pool: Pool) -> None:
        """Whether it waits for its engine for too long: for the first token, or since the engine fell silent."""
        halted_s = self._engines.halted_s(pool.upstream.replica)
        if halted_s is None and one.first_here_s is not None:
            return
        limits, now_s = self._limits, self._clock.t_s
        limit_s = limits.upstream_stall_s if one.has_begun else limits.upstream_head_s
        if pool.is_lost:
            limit_s = min(limit_s, limits.lost_s)
        heard_s = one.entered_s if one.first_here_s is None or halted_s is None else max(one.first_here_s, halted_s)
        if now_s - heard_s < limit_s:
            return
        if pool.is_lost:
            self._lose(one, "neither control nor this gateway reaches it")
        elif one.has_begun:
            self._fail(one, f"it sent nothing for {limit_s:g} s", until_reached=False)
        else:
            self._of(one).failed += 1
            self._engines.cancel(pool.upstream.replica, str(one.key))
            self._leave(one, now_s)
            self._refuse(one, problems.upstream_slow(one.fate.service, limit_s), now_s)

    def _try_held(self) -> None:
        held, self.held = self.held, []
        for one in held:
            self._route(one, self._clock.t_s)

    def _route(self, one: Open, now_s: float) -> None:
        """Send it to a replica, hold it, or say no."""
        route = self._routes.get(one.fate.service)
        if route is not None and not one.fate.is_named:
            one.fate.is_named = True
            self._stats(one.fate.service).asked += 1
            one.fate.objective = route.objective
        if one.has_begun:
            self._go_on(one, route, now_s)
        elif self.table is None:
            self._hold(one, waited_for(None, one.failures, self._limits.hold_s), now_s)
        elif route is None:
            self._refuse(one, problems.unknown_model(one.fate.service, self._routes), now_s)
        elif (upstream := self._choose(one, route, self.reach.preferred(route.upstreams), now_s)) is not None:
            self._send(one, upstream, now_s)
        elif (problem := no_upstream(route, one.failures, named=False)) is not None:
            self._refuse(one, problem, now_s)
        else:
            self._hold(one, waited_for(route, one.failures, self._limits.hold_s), now_s)

    def _go_on(self, one: Open, route: Route | None, now_s: float) -> None:
        """Its answer began at a replica that failed: another one goes on with it, now or later, or it is broken off."""
        broken = problems.upstream_failed(one.fate.service, one.failures.why)
        if route is None:
            self._refuse(one, broken, now_s)
            return
        able = [each for each in self.reach.preferred(route.upstreams) if each.engine in CONTINUES]
        upstream = self._choose(one, route, able, now_s)
        if upstream is not None:
            self._stats(one.fate.service).continued += not one.failures.seams
            one.failures.seams += 1
            one.fate.continued += 1
            self._send(one, upstream, now_s)
        elif one.failures.may_be_continued(route):
            self._hold(one, broken, now_s)
        else:
            self._refuse(one, broken, now_s)

    def _choose(self, one: Open, route: Route, upstreams: Sequence[Upstream], now_s: float) -> Upstream | None:
        """Whom it is sent to; not one that runs and would say that it is too long."""
        ask, engines = one.ask, self._engines
        able = [each for each in upstreams if not engines.is_running(each.replica) or engines.takes(each.replica, ask)]
        prompt = Prompt(ask.prompt_tokens, (), [])
        return choose(
            able,
            prompt,
            self._board,
            service=route.service,
            now_s=now_s,
            objective=route.objective,
            excluded=one.failures.excluded(),
        )

    def _send(self, one: Open, upstream: Upstream, now_s: float) -> None:
        fate, replica = one.fate, upstream.replica
        if one.began_holding_s is not None:
            fate.held_s += now_s - one.began_holding_s
            one.began_holding_s = None
        prompt = Prompt(fate.request.prompt_tokens + one.told, (), [])
        one.stay = self._board.begin(upstream, prompt, service=fate.service, now_s=now_s)
        one.pool, one.entered_s, one.first_here_s = self.reach.pools[replica], now_s, None
        stats = self._by_replica.get(replica)
        if stats is None:
            stats = self._by_replica[replica] = ReplicaStats()
            stats.began_s = self._began_s
        stats.enter(now_s)
        self._stats(fate.service).in_flight += 1
        if not self.reach.accepts(one.pool):
            self._fail(one, "it cannot be reached", until_reached=True)
            return
        one.asked = one.ask
        self._engines.submit(replica, one.asked, now_s)

    def _lose(self, one: Open, why: str) -> None:
        """Its replica had it and did not finish it."""
        begun = one.has_begun
        if one.pool is not None:
            self.reach.suspect(one.pool)
        one.failures.losses += not begun
        self._fail(one, why, until_reached=begun)

    def _fail(self, one: Open, why: str, *, until_reached: bool) -> None:
        """Take it from a replica that failed it, and see who else there is."""
        pool, now_s = one.pool, self._clock.t_s
        if pool is None:
            raise ValueError(f"request {one.key} is at no replica")
        replica = pool.upstream.replica
        produced = self._engines.produced(replica, str(one.key))
        if produced:
            one.told += produced
            one.fate.pieces.append(Piece(replica, produced))
        self._engines.cancel(replica, str(one.key))
        if one.stay is not None:
            one.stay.leave(now_s)
        self._by_replica[replica].failed += 1
        self._leave(one, now_s)
        one.failures.why = why
        if one.failures.are_too_many:
            self._refuse(one, problems.upstream_failed(one.fate.service, why), now_s)
            return
        one.failures.add(pool, until_reached=until_reached)
        self._route(one, now_s)

    def _hold(self, one: Open, problem: Problem, now_s: float) -> None:
        """Wait for a table or a replica; where that took too long, `problem`."""
        if one.held_until_s is None:
            one.held_until_s = now_s + self._limits.hold_s
        if one.began_holding_s is None:
            one.began_holding_s = now_s
        if now_s < one.held_until_s:
            self.held.append(one)
        else:
            self._refuse(one, problem, now_s)

    def _refuse(self, one: Open, problem: Problem, now_s: float) -> None:
        fate = one.fate
        fate.held_s += 0.0 if one.began_holding_s is None else now_s - one.began_holding_s
        fate.why, fate.status = problem.message, problem.status
        if one.fate.is_named and problem.status >= 500:
            stats = self._stats(fate.service)
            stats.failed += 1
            stats.missed += fate.objective.is_asked
        self._end(one, now_s)

    def _first(self, one: Open, at_s: float) -> None:
        if one.stay is not None:
            one.stay.first_token(at_s)
        one.first_here_s, one.held_until_s = at_s, None
        stats = self._of(one)
        stats.first_tokens += 1
        stats.ttft_s += at_s - one.entered_s
        if not one.told:
            one.fate.first_s = at_s
            self._stats(one.fate.service).ttft.add(at_s - one.fate.request.at_s)

    def _whole(self, one: Open, at_s: float) -> None:
        fate, request, stats, replica = one.fate, one.fate.request, self._stats(one.fate.service), self._of(one)
        own = request.output_tokens - one.told
        if one.replica is not None and one.asked is not None:
            fate.pieces.append(Piece(one.replica, one.asked.output_tokens))
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

    def _leave(self, one: Open, at_s: float) -> None:
        """It is taken from its replica."""
        if one.stay is not None:
            one.stay.leave(at_s)
        self._of(one).leave(at_s)
        self._stats(one.fate.service).in_flight -= 1
        one.pool = one.stay = one.first_here_s = None

    def _end(self, one: Open, at_s: float) -> None:
        one.fate.ended_s = at_s
        one.fate.ends += 1
        del self.open[one.key]

    def _of(self, one: Open) -> ReplicaStats:
        if one.replica is None:
            raise ValueError(f"request {one.key} is at no replica")
        return self._by_replica[one.replica]

    def _stats(self, service: ServiceName) -> ServiceStats:
        stats = self._by_service.get(service)
        if stats is None:
            stats = self._by_service[service] = ServiceStats()
            stats.began_s = self._began_s
        return stats
