"""Whose turn is next where requests wait for one service: fair between tenants by weight. No clock, no I/O.

Fair queueing by virtual time, twice: tenants share the service by their weights, and the classes of one tenant share its part by
`CLASS_WEIGHTS`. Each has a virtual time that moves by cost / weight when one of its requests goes; who comes back after a pause
begins at the present virtual time. Of tenants the one goes next whose time is least (start-time fair queueing); of classes the
one whose time would be least after its next request (self-clocked), so that an urgent request need not let one of batch go before.
So over any time in which two tenants both wait, what they got over their weights differs by at most one request of each, and
whoever waits is reached.
"""

from collections import OrderedDict
from heapq import heappop, heappush
from typing import Final, Protocol

from alliage.fleet.limits import Priority
from alliage.gateway.problems import Problem

CLASS_WEIGHTS: Final = {Priority.INTERACTIVE: 16.0, Priority.STANDARD: 4.0, Priority.BATCH: 1.0}
"""Of one tenant's requests: all three waiting, 16 parts of 21 are interactive ones', and 1 is batch's."""


class Waiter(Protocol):
    """A request that waits for its turn."""

    def take_turn(self) -> None:
        """Go on now."""

    def send_away(self, problem: Problem) -> None:
        """It does not get one."""


class Place:
    """One request's place in a queue; `cost` is what it is expected to take of the service."""

    __slots__ = ("began_s", "cost", "flow", "waiter")

    def __init__(self, waiter: Waiter, flow: "_Class", cost: float, began_s: float) -> None:
        self.waiter = waiter
        self.flow = flow
        self.cost = cost
        self.began_s = began_s


class _Class:
    """Requests of one class of one tenant, the oldest first."""

    __slots__ = ("line", "start", "tenant", "weight")

    def __init__(self, tenant: "_Tenant", weight: float) -> None:
        self.tenant = tenant
        self.weight = weight
        self.line: OrderedDict[Place, None] = OrderedDict()
        self.start = 0.0
        """Its own virtual time."""


class _Tenant:
    __slots__ = ("classes", "length", "name", "start", "turn", "virtual", "weight")

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.classes: dict[str, _Class] = {}
        self.length = 0
        self.start = 0.0
        """When its next one may go, by the virtual time of the queue."""
        self.virtual = 0.0
        self.turn = 0
        """Its entry in the heap, older ones count no more; 0 for none. It may stand there without a request, since all of its left."""


class FairQueue:
    """Requests that wait for one service. `weights` are those of tenants that are not 1."""

    __slots__ = ("_heap", "_tenants", "_turns", "_virtual", "_waiting", "length", "weights")

    def __init__(self) -> None:
        self.weights: dict[str, float] = {}
        self.length = 0
        self._tenants: dict[str, _Tenant] = {}
        self._heap: list[tuple[float, int, str]] = []
        """Each tenant that waits by its start; of equals the one that came to wait first."""
        self._virtual = 0.0
        self._turns = 0
        self._waiting = 0.0
        """The weights of the tenants that wait, together."""

    def push(self, waiter: Waiter, tenant: str, priority: Priority, cost: float, now_s: float) -> Place:
        """It waits from now on."""
        one = self._tenants.get(tenant)
        if one is None:
            one = self._tenants[tenant] = _Tenant(tenant, self._weight(tenant))
        flow = one.classes.get(priority)
        if flow is None:
            flow = one.classes[priority] = _Class(one, CLASS_WEIGHTS[priority])
        if not flow.line:
            flow.start = max(flow.start, one.virtual)
        place = Place(waiter, flow, cost, now_s)
        flow.line[place] = None
        one.length += 1
        self.length += 1
        if one.length == 1:
            one.weight = self._weight(tenant)
            self._waiting += one.weight
            if not one.turn:
                one.start = max(one.start, self._virtual)
                self._queue(one)
        return place

    def pop(self) -> Place | None:
        """Who goes now; None where nobody waits."""
        while self._heap:
            start, turn, name = heappop(self._heap)
            one = self._tenants[name]
            if one.turn != turn:
                continue
            one.turn = 0
            if not one.length:
                continue
            flow = _next_class(one)
            place = next(iter(flow.line))
            self._virtual = start
            flow.start += place.cost / flow.weight
            one.virtual = flow.start
            one.start = start + place.cost / one.weight
            self._take_out(place)
            if one.length:
                self._queue(one)
            self._forget()
            return place
        return None

    def leave(self, place: Place) -> None:
        """It does not wait any longer; whoever left already may be told again."""
        if place in place.flow.line:
            self._take_out(place)
            self._forget()

    def settle(self, tenant: str, more: float) -> None:
        """A request of this tenant that had its turn took so much more than its cost; less than zero: less."""
        one = self._tenants.get(tenant)
        if one is None:
            return
        start = max(self._virtual, one.start + more / one.weight)
        if start != one.start:
            one.start = start
            if one.turn:
                self._queue(one)

    def ahead(self, tenant: str) -> tuple[int, float]:
        """Requests of this tenant that wait, and its share of the turns once one more of it waits."""
        one = self._tenants.get(tenant)
        if one is not None and one.length:
            return one.length, one.weight / self._waiting
        weight = self._weight(tenant)
        return 0, weight / (self._waiting + weight)

    def longest(self, tenant: str) -> Place | None:
        """The newest, least urgent request of the tenant that has most in the queue for its weight.

        None where that would be `tenant` itself with one more in it.
        """
        one = self._tenants.get(tenant)
        most = ((0 if one is None else one.length) + 1) / self._weight(tenant)
        found: _Tenant | None = None
        for each in self._tenants.values():
            if each is not one and each.length / each.weight > most:
                most, found = each.length / each.weight, each
        if found is None:
            return None
        flows = [flow for flow in found.classes.values() if flow.line]
        return next(reversed(min(flows, key=_class_weight).line))

    def oldest(self) -> list[Place]:
        """Of each tenant's each class the one that waits longest."""
        return [next(iter(flow.line)) for one in self._tenants.values() for flow in one.classes.values() if flow.line]

    def _weight(self, name: str) -> float:
        return self.weights.get(name, 1.0)

    def _queue(self, one: _Tenant) -> None:
        self._turns += 1
        one.turn = self._turns
        heappush(self._heap, (one.start, self._turns, one.name))

    def _take_out(self, place: Place) -> None:
        one = place.flow.tenant
        del place.flow.line[place]
        one.length -= 1
        self.length -= 1
        if not one.length:
            self._waiting -= one.weight

    def _forget(self) -> None:
        """When nobody waits all are even again."""
        if not self.length:
            self._tenants.clear()
            self._heap.clear()
            self._virtual = self._waiting = 0.0


def _next_class(one: _Tenant) -> _Class:
    """The one whose next request ends first by their virtual times; of equals the more urgent."""
    best: _Class | None = None
    best_end = 0.0
    for flow in one.classes.values():
        if not flow.line:
            continue
        end = flow.start + next(iter(flow.line)).cost / flow.weight
        if best is None or end < best_end or (end == best_end and flow.weight > best.weight):
            best, best_end = flow, end
    if best is None:
        raise LookupError("a tenant without requests has no turn")
    return best


def _class_weight(flow: _Class) -> float:
    return flow.weight
