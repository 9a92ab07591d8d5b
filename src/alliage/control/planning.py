"""planning: when the plan's programme is solved again, and what it said last. Solving goes on beside the loop's passes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog

from alliage.catalog.records import Catalog
from alliage.decide.aiming.aims import Aims, aim
from alliage.decide.aiming.outlook import ANSWERS_ALL, Barred, Offers, Outlook, outlook, outlook_within, service_of
from alliage.decide.price.listed import Price
from alliage.decide.reckoning import Reckoner
from alliage.decide.solve.answer import Budget
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.nodes import Node
from alliage.fleet.view import FleetView

BARRED_S: Final = 300.0
ANSWERS_MAX: Final = 100
"""Of a service at a kind of nodes, how many are reckoned in one pass where a solve runs beside; each takes some milliseconds."""
REPLAN_S: Final = 10.0
"""While demand climbs, plans are not made for each of its steps: what was begun a moment ago would be exchanged."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """Until when a way is barred, and what had the room then."""

    until_s: float
    nodes: tuple[Node, ...]
    holders: frozenset[ReplicaId]


class Planning:
    """What is aimed at. With `beside` a solve runs in a thread and `woken` is called when it ends; without, at once."""

    def __init__(
        self,
        catalog: Catalog,
        prices: Callable[[], Mapping[str, Price]],
        *,
        budget: Budget,
        beside: bool,
        woken: Callable[[], None],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._prices_now = prices
        self._budget = budget
        self._beside = beside
        self._woken = woken
        self._monotonic_s = monotonic_s
        self._solved_s = monotonic_s()
        self.reckoner = Reckoner(catalog)
        self._offers: Offers = {}
        self._barred: dict[Barred, _Bar] = {}
        self._solving: asyncio.Future[Aims] | None = None
        self._seen: tuple[object, Outlook] | None = None
        self._considered: Aims | None = None
        self.aims: Aims | None = None
        self.solves = 0

    @property
    def prices(self) -> Mapping[str, Price]:
        """Of a device-hour now, by chip."""
        return self._prices_now()

    @property
    def is_solving(self) -> bool:
        """Whether a solve goes on beside the loop."""
        return self._solving is not None

    def bar(self, ways: frozenset[Barred], view: FleetView) -> None:
        """These found no room in truth: they are not aimed at again for BARRED_S, or until somebody leaves or nodes are others."""
        kinds = {} if self.aims is None else {kind.name: kind.nodes for kind in self.aims.outlook.kinds}
        until_s = self._monotonic_s() + BARRED_S
        for service, way in ways:
            nodes = kinds.get(way.partition(", ")[2], ())
            self._barred[service, way] = _Bar(until_s=until_s, nodes=view.nodes, holders=_there(view, nodes))

    def _still_barred(self, view: FleetView) -> frozenset[Barred]:
        if not self._barred:
            return frozenset()
        now_s = self._monotonic_s()
        there = {replica.id for replica in view.replicas}
        self._barred = {
            way: bar
            for way, bar in self._barred.items()
            if now_s < bar.until_s and bar.nodes == view.nodes and bar.holders <= there
        }
        return frozenset(self._barred)

    async def consider(self, view: FleetView) -> Aims:
        """What would be aimed at if things were so; the loop takes it over if they come to be."""
        now = outlook(view, self.prices, self.reckoner, self._offers, self._still_barred(view))
        if self._beside:
            self._considered = await asyncio.to_thread(aim, now, self.aims, self._budget)
        else:
            self._considered = aim(now, self.aims, self._budget)
        return self._considered

    def outlook(self, view: FleetView) -> Outlook | None:
        """The view as the programme sees it; the last one again where nothing it depends on has changed. None: not all is reckoned yet."""
        barred, prices = self._still_barred(view), self.prices
        key = (
            prices,
            view.nodes,
            view.services,
            view.replicas,
            view.measured,
            view.odd,
            view.tenants,
            view.failed,
            view.demand,
            barred,
        )
        if self._seen is None or self._seen[0] != key:
            most = ANSWERS_MAX if self._beside else ANSWERS_ALL
            found = outlook_within(view, prices, self.reckoner, self._offers, barred, answers_max=most)
            if found is None:
                return None
            self._seen = key, found
        return self._seen[1]

    def look(self, view: FleetView) -> Aims | None:
        """What is aimed at for this view; None while nothing that suits it is known yet. Starts a solve where one is due."""
        now = self.outlook(view)
        if now is None:
            self._woken()  # another pass goes on with it at once; whoever else waits comes between them
            return None
        if self._considered is not None and self._considered.outlook == now:
            self.aims, self._considered = self._considered, None
        if self.aims is not None and self.aims.outlook is not now and self.aims.outlook == now:
            self.aims = replace(self.aims, outlook=now)  # compared once, not at every pass
        if (self.aims is None or self.aims.outlook is not now) and self._is_due(now):
            self._solve(now)
        return self.aims if self.aims is not None and self.aims.suits(now) else None

    def _is_due(self, now: Outlook) -> bool:
        """At once when anything but an amount is new, or a service has nothing yet; else REPLAN_S after the last solve."""
        if self.aims is None or not self.aims.suits(now) or self._monotonic_s() - self._solved_s >= REPLAN_S:
            return True
        aims = self.aims.aims
        return any(
            (ask.min_replicas or ask.demand_rps)
            and not aims.get(service_of(ask.name))
            and ask.name not in self.aims.short
            for ask in now.problem.services
        )

    def _solve(self, now: Outlook) -> None:
        if self._solving is not None:
            return
        self._solved_s = self._monotonic_s()
        self.solves += 1
        if not self._beside:
            self.aims = aim(now, self.aims, self._budget)
            return
        self._solving = asyncio.get_running_loop().run_in_executor(None, aim, now, self.aims, self._budget)
        self._solving.add_done_callback(self._solved)

    def _solved(self, done: asyncio.Future[Aims]) -> None:
        self._solving = None
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            _log.error("planning failed; what was aimed at before stays", error=repr(error))
        else:
            self.aims = done.result()
        self._woken()


def _there(view: FleetView, nodes: tuple[NodeId, ...]) -> frozenset[ReplicaId]:
    return frozenset(replica.id for replica in view.replicas if replica.node in nodes)
