"""Whether a request may go to an engine now: its key's limits first, then its turn where the service is saturated.

A service is saturated when this gateway has as many requests at its replicas as they have slots together (of them, as many as are
leased to this process). Further ones wait here, not in the engines' queues, and go by `queueing` as others end.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from time import perf_counter, time
from typing import Final

from alliage.decide.route import Foreseen, foresee
from alliage.decide.routing.board import LOOKED_AT_MAX, Board
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.limits import UNLIMITED, Lease, Priority, Scope, Use, service_scope
from alliage.fleet.routing import KeyEntry, Route, RoutingTable
from alliage.gateway.allowances import CONTEXT, NO_LEASE, PASSES, TOKENS_EVER, Allowance
from alliage.gateway.footing import Footing
from alliage.gateway.foreseeing import Pace, retry_s, too_late_s, wait_s
from alliage.gateway.grant import Grant
from alliage.gateway.limiting import limited, over_share, too_late, waited_in_vain
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.problems import Problem
from alliage.gateway.queueing import FairQueue, Waiter
from alliage.gateway.stats import SLOTS_UNKNOWN, ServiceStats, Stats

_FOOTINGS_MAX: Final = 4096
"""Of keys at services that are kept under one table; then all are forgotten."""


class Line:
    """The requests of one service that wait for their turn."""

    __slots__ = ("is_moving", "pace", "queue", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self.queue = FairQueue()
        self.pace = Pace()
        self.is_moving = False


class Admission:
    """One gateway process's. `leases_number` is that of the leases that it works by, 0 before the first."""

    __slots__ = (
        "_allowances",
        "_board",
        "_footings",
        "_footings_number",
        "_leases",
        "_limits",
        "_lines",
        "_stats",
        "_table",
        "leases_number",
    )

    def __init__(self, limits: GatewayLimits, board: Board, stats: Stats) -> None:
        self._limits = limits
        self._board = board
        self._stats = stats
        self._table: RoutingTable | None = None
        self._leases: Mapping[Scope, Lease] = {}
        self._allowances: dict[Scope, Allowance] = {}
        self._footings: dict[str, dict[str, Footing]] = {}
        """By service and key."""
        self._footings_number = 0
        self._lines: dict[str, Line] = {}
        self.leases_number = 0

    def take_table(self, table: RoutingTable, unreachable: AbstractSet[ReplicaId]) -> None:
        """Limits, weights and slots by this one; who waits for another turn is not woken yet."""
        self._table = table
        for scope, allowance in list(self._allowances.items()):
            if scope not in table.limits:
                allowance.limit(UNLIMITED)
                if allowance.is_idle:
                    del self._allowances[scope]
        self._forget_footings()
        for scope, limits in table.limits.items():
            self._allowance(scope).limit(limits)
        for line in self._lines.values():
            line.queue.weights = dict(table.weights)
        self.count_slots(unreachable)

    def take_leases(self, number: int, leases: Mapping[Scope, Lease], unreachable: AbstractSet[ReplicaId]) -> None:
        """Work by these from now on."""
        self.leases_number = number
        self._leases = leases
        now_s = perf_counter()
        for scope, allowance in self._allowances.items():
            allowance.overdraft_micros = 0
            allowance.take_lease(leases.get(scope, NO_LEASE), now_s)
        self.count_slots(unreachable)
        self.go_on()

    def control_lost(self) -> None:
        """Until it is back, money may go beyond the lease by the overdraft that the settings allow."""
        for allowance in self._allowances.values():
            allowance.overdraft_micros = self._limits.overdraft_micros

    def count_slots(self, unreachable: AbstractSet[ReplicaId]) -> None:
        """Of each service: its reachable replicas', as far as they are leased to this process."""
        if self._table is None:
            return
        slots: dict[str, int] = {}
        for route in self._table.routes.values():
            number = sum(max(1, each.concurrency) for each in route.upstreams if each.replica not in unreachable)
            leased = self._leases.get(service_scope(route.service), NO_LEASE).parallel
            if number:
                slots[route.service] = number if leased is None else max(1, min(number, leased))
        self._stats.size(slots)

    def footing(self, who: KeyEntry, model: str) -> Footing | None:
        """The key's at this service; None where the table has no such service."""
        by_key = self._footings.get(model)
        if by_key is not None:
            footing = by_key.get(who.key)
            if footing is not None and footing.who is who:
                return footing
        return self._make_footing(who, model)

    def _make_footing(self, who: KeyEntry, model: str) -> Footing | None:
        route = None if self._table is None else self._table.routes.get(ServiceName(model))
        if route is None:
            return None
        if self._footings_number >= _FOOTINGS_MAX:
            self._forget_footings()
        self._footings_number += 1
        allowances = tuple(self._allowance(scope) for scope in who.scopes)
        footing = Footing(who, route, allowances, self._stats, self._board.habits(model))
        self._footings.setdefault(model, {})[who.key] = footing
        return footing

    def _forget_footings(self) -> None:
        self._footings.clear()
        self._footings_number = 0

    def admit(self, footing: Footing, prompt_tokens: int, output_max: int | None, now_s: float) -> Grant | Problem:
        """By the limits of each of the key's scopes; `output_max` is what the client allows its answer, None for no bound."""
        service, rates = footing.service, footing.rates
        expected = int(footing.habits.expected(prompt_tokens))
        output = expected if output_max is None else min(expected, output_max)
        micros = 0 if rates.are_free else rates.micros(prompt_tokens, 0, output)
        asked, tokens = prompt_tokens + (output_max or 0), prompt_tokens + output
        for allowance in footing.allowances:
            which = allowance.refusal(service, prompt_tokens, asked, tokens, micros, now_s)
            if which != PASSES:
                allowance.refused += 1
                told = asked if which == CONTEXT else prompt_tokens if which == TOKENS_EVER else tokens
                return limited(allowance, which, service, tokens=told, micros=micros, wall_s=time())
        return Grant(footing, prompt_tokens, output, micros)

    def line_up(self, waiter: Waiter, grant: Grant, footing: Footing, prompt: Prompt) -> Problem | None:
        """Its `place` where it has to wait for its turn; a problem where that is of no use. `footing` is the present table's."""
        route, stats = footing.route, footing.stats
        if stats.in_flight < stats.slots and not stats.queued:
            return None
        line, now_s = self._line(route.service), perf_counter()
        queue = line.queue
        if not queue.length:
            line.pace.begins(now_s)
        problem = self._judge(line, grant, route, prompt, stats, now_s)
        if problem is None and queue.length >= self._limits.queued_max:
            problem = self._make_room(line, grant)
        if problem is not None:
            return problem
        grant.waits(queue.push(waiter, grant.footing.tenant, grant.footing.priority, grant.cost, now_s), queue)
        stats.queued = queue.length
        return None

    def settle(self, grant: Grant, service: str, *, has_begun: bool, said: int) -> None:
        """Its request is over, whatever became of it."""
        waited = grant.place is not None
        grant.end(has_begun=has_begun, said=said)
        if waited and (line := self._lines.get(service)) is not None:
            self._stats.of(service).queued = line.queue.length

    def freed(self, service: str) -> None:
        """A request left a replica of this service, and others wait."""
        line = self._lines.get(service)
        if line is not None:
            line.pace.gave(perf_counter())
            self._move(line)

    def go_on(self) -> None:
        """There may be more slots than before."""
        for line in list(self._lines.values()):
            self._move(line)
            if self._table is not None and not line.queue.length and line.service not in self._table.routes:
                del self._lines[line.service]

    def let_all_go(self) -> None:
        """The gateway stops: everybody looks again."""
        for line in self._lines.values():
            while (place := line.queue.pop()) is not None:
                place.waiter.take_turn()
            self._stats.of(line.service).queued = 0

    def sweep(self) -> None:
        """Who waits for too long is told so."""
        now_s, limit_s = perf_counter(), self._limits.queued_s
        for line in self._lines.values():
            while late := [each for each in line.queue.oldest() if now_s - each.began_s >= limit_s]:
                for place in late:
                    line.queue.leave(place)
                    place.waiter.send_away(waited_in_vain(line.service, limit_s))
            if line.queue.length:
                self._move(line)

    def use(self) -> dict[Scope, Use]:
        """What to tell of each scope that was used, and of each service's slots."""
        told = {
            scope: allowance.use()
            for scope, allowance in self._allowances.items()
            if allowance.requests or allowance.refused
        }
        for name, stats in self._stats.by_service.items():
            if name and stats.asked:
                told[service_scope(name)] = Use(requests=stats.asked, parallel=stats.in_flight)
        return told

    @property
    def queued(self) -> int:
        """Requests that wait for their turn."""
        return sum(line.queue.length for line in self._lines.values())

    def _allowance(self, scope: Scope) -> Allowance:
        allowance = self._allowances.get(scope)
        if allowance is None:
            allowance = self._allowances[scope] = Allowance(scope)
            allowance.take_lease(self._leases.get(scope, NO_LEASE), perf_counter())
        return allowance

    def _line(self, service: str) -> Line:
        line = self._lines.get(service)
        if line is None:
            line = self._lines[service] = Line(service)
            if self._table is not None:
                line.queue.weights = dict(self._table.weights)
        return line

    def _judge(  # noqa: PLR0917 - names cost time
        self, line: Line, grant: Grant, route: Route, prompt: Prompt, stats: ServiceStats, now_s: float
    ) -> Problem | None:
        """Whether its objective can be kept by waiting; batch just waits."""
        promised_s = route.objective.ttft_s
        if promised_s is None or grant.footing.priority is Priority.BATCH:
            return None
        after = self._after(route, prompt, now_s)
        after_s, expected = 0.0, 0.0
        if after is not None:
            after_s = after.ttft_s
            whole_s = after_s + grant.output_tokens * after.tpot_s
            expected = stats.slots / whole_s if whole_s > 0.0 and stats.slots < SLOTS_UNKNOWN else 0.0
        ahead, share = line.queue.ahead(grant.footing.tenant)
        waits_s = wait_s(ahead, share, line.queue.length, line.pace.turns_per_s(now_s, expected))
        late_s = too_late_s(waits_s, after_s, promised_s)
        return too_late(route.service, waits_s, promised_s, retry_s(late_s)) if late_s > 0.0 else None

    def _after(self, route: Route, prompt: Prompt, now_s: float) -> Foreseen | None:
        """What it would see at the best of its replicas once one has a slot for it."""
        best: Foreseen | None = None
        for upstream in route.upstreams[:LOOKED_AT_MAX]:
            seen = foresee(upstream, prompt, self._board, service=route.service, now_s=now_s, has_slot=True)
            if seen is not None and (best is None or seen.ttft_s < best.ttft_s):
                best = seen
        return best

    def _make_room(self, line: Line, grant: Grant) -> Problem | None:
        """The queue is full: a request of the tenant that has most in it for its weight goes, which may be this one."""
        queue, now_s = line.queue, perf_counter()
        longest = queue.longest(grant.footing.tenant)
        rate = line.pace.turns_per_s(now_s, 0.0)
        if longest is None:
            ahead, share = queue.ahead(grant.footing.tenant)
            return over_share(line.service, grant.footing.tenant, ahead, retry_s(wait_s(0, share, queue.length, rate)))
        tenant = longest.flow.tenant.name
        ahead, share = queue.ahead(tenant)
        queue.leave(longest)
        problem = over_share(line.service, tenant, ahead, retry_s(wait_s(0, share, queue.length, rate)))
        longest.waiter.send_away(problem)
        return None

    def _move(self, line: Line) -> None:
        """Give turns while there are slots. A turn may end at once and ask for this again: then it goes on where it was."""
        if line.is_moving:
            return
        line.is_moving = True
        stats, queue = self._stats.of(line.service), line.queue
        try:
            while queue.length and stats.in_flight < stats.slots:
                place = queue.pop()
                if place is None:
                    break
                stats.queued = queue.length
                place.waiter.take_turn()
        finally:
            stats.queued = queue.length
            line.is_moving = False
