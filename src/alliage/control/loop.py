"""The loop: observe -> decide -> commit -> act. One writer, one pass at a time; the only file of this floor that waits."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog

from alliage.catalog.records import Catalog
from alliage.control.learning import Learning, learned_words
from alliage.control.lost import Silence, lost_nodes, retired_nodes
from alliage.control.observed import NodeReport, Observation
from alliage.control.odd import odd_nodes
from alliage.control.planning import Planning
from alliage.control.ports import Changes, Clock, Doors, Runtime, Stale, Store
from alliage.control.recent import Recent
from alliage.control.reconcile import Pass, Refusals, reconcile
from alliage.control.resting import can_rest
from alliage.control.settle import Heard
from alliage.control.table import PriceOf, awaited, build_table, endpoints_after
from alliage.control.tempos import Kind, Reckoned, tempos_after
from alliage.control.watching import Watching
from alliage.decide.aiming.aims import Aims
from alliage.decide.plan import Budget
from alliage.decide.reasons import Reason
from alliage.fleet.demand import Demand
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.prices import FREE
from alliage.fleet.routing import RoutingTable, Upstream
from alliage.fleet.view import FleetView

PLACED_MAX: Final = 50
"""Replicas that one pass places: agents, gateways and the admin API are heard between two passes."""
_ENDING: Final = frozenset({ReplicaPhase.DRAINING, ReplicaPhase.RESTING})
"""They get no new requests and end those that they have."""
_log = structlog.get_logger()
DOOR_GONE_S: Final = 3600.0
"""A gateway that is not heard for so long is gone for good, and is waited for no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Durations of control, in seconds."""

    tick_s: float = 1.0
    """A pass is done at least so often; a change is acted on at once."""
    silent_s: float = 5.0
    """An agent not heard for so long is unreachable: nothing new is placed there, what runs is left alone."""
    away_s: float = 2.5
    """An agent not heard for so long, or whose line is closed, is away: the gateways try whether they reach its replicas."""
    lost_s: float = 30.0
    """A node silent for so long is lost where no gateway can be asked: nothing is ready there."""
    drain_s: float = 30.0
    """What a leaving replica is given to finish its requests."""
    hold_s: float = 300.0
    """Demand that was seen is planned for so long after; and for so long after its start control takes away nothing for want of it."""
    idle_s: float = 300.0
    """A service with no least number of replicas has none after nobody asked for it for so long."""
    rest_s: float = 60.0
    """The same, and instead of `hold_s`, of a service all of whose replicas can sleep: they are back in seconds."""
    settle_s: float = 10.0
    """How long after a start of control the gateways keep their old table while agents report again."""


class ControlLoop:
    """Runs passes: at once when `woken` is set, else each tick. What it keeps in memory can be lost without harm."""

    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        doors: Doors,
        catalog: Catalog,
        clock: Clock,
        new_id: Callable[[], str],
        settings: LoopSettings,
        woken: asyncio.Event,
        planning: Planning,
        rehearsed: frozenset[NodeId] | None = None,
        price_of: PriceOf = lambda _: FREE,
        planned: Callable[[FleetView, Aims | None], None] = lambda _view, _aims: None,
    ) -> None:
        """`planned` is told of each pass by which plan it went; it may not wait.

        `rehearsed` are the nodes of the present fleet file; others that were rehearsed once are dropped. None: unknown.
        """
        self._store = store
        self._runtime = runtime
        self._doors = doors
        self._catalog = catalog
        self._clock = clock
        self._new_id = new_id
        self._settings = settings
        self._woken = woken
        self._rehearsed = rehearsed
        self._price_of = price_of
        self._planned = planned
        self._began_s = clock.monotonic_s()
        self.planning = planning
        self.recent = Recent()
        self.demand: Mapping[ServiceName, Demand] = {}
        """What is asked of services, as the last pass reckoned it."""
        self._learning = Learning(catalog)
        self._watching = Watching(
            began_s=clock.now_s(),
            hold_s=settings.hold_s,
            idle_s=settings.idle_s,
            rest_s=settings.rest_s,
            can_rest=lambda view, service: can_rest(view, service, catalog),
        )
        self._last_heard_s: dict[NodeId, float] = {}
        self._draining_since_s: dict[ReplicaId, float] = {}
        self._doors_heard_s: dict[str, float] = {}
        self._endpoints: dict[ReplicaId, Upstream] = {}
        self._tempos: dict[Kind, Reckoned] = {}
        self._table = RoutingTable(version=int(clock.now_s() * 1000), routes={}, keys={})
        self._pushed = False
        self._refused: Refusals = {}
        self._excluded_at: dict[ReplicaId, int] = {}
        self.passes = 0

    def wake(self) -> None:
        """Something changed: do a pass now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Pass after pass until `stop`. A pass that fails is logged and tried again at the next tick."""
        while not stop.is_set():
            self._woken.clear()
            try:
                self.pass_once()
            except Exception:  # noqa: BLE001 - a task boundary: one bad pass must not end control
                _log.exception("control pass failed; it is tried again at the next tick")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._settings.tick_s)

    def pass_once(self) -> Pass | None:
        """One pass; None when its commit was refused because the state moved on (it is tried again at once)."""
        self.passes += 1
        view = self._observed_view()
        heard = self._hear(view)
        done = reconcile(
            view,
            heard,
            self._catalog,
            now_s=self._clock.now_s(),
            new_id=self._new_id,
            budget=Budget(replicas=PLACED_MAX),
            refused=self._refused,
            aiming=self.planning.look,
            reckoner=self.planning.reckoner,
        )
        version = view.version
        if done.changes != Changes():
            committed = self._store.commit(view.version, done.changes)
            if isinstance(committed, Stale):
                self.wake()
                return None
            version = committed
        self._refused = done.refused
        if done.stuck:
            self.planning.bar(done.stuck, done.view)
        if done.stuck or done.is_cut_short:
            self.wake()
        if done.observations:
            self._store.append(done.observations)
        self._planned(done.view, self.planning.aims)
        self._push_table(replace(done.view, version=version))
        self._runtime.act(done.actions)
        return done

    def _observed_view(self) -> FleetView:
        reports = self._runtime.observe().values()
        free = {device: count for report in reports for device, count in report.free_bytes.items()}
        view = replace(self._store.snapshot(), free_bytes=free)
        demand = self._watching.look(
            view, self._doors.observe(), now_s=self._clock.monotonic_s(), wall_s=self._clock.now_s()
        )
        self.demand = demand
        self.recent.look(self._doors.observe())
        measured = self._store.measured()
        view = replace(view, measured=measured, odd=odd_nodes(measured, self._clock.now_s()), demand=demand)
        return self._learned(view)

    def _learned(self, view: FleetView) -> FleetView:
        """The view with what was just seen of replicas at work, which is kept."""
        now_s, wall_s = self._clock.monotonic_s(), self._clock.now_s()
        seen = self._learning.look(view, self._doors.observe(), now_s=now_s, wall_s=wall_s)
        if not seen:
            return view
        self._store.record_measured(tuple(each.measured for each in seen))
        self._store.append(
            tuple(
                Observation(at_s=wall_s, subject=each.measured.service, what=words)
                for each in seen
                if (words := learned_words(each))
            )
        )
        measured = self._store.measured()
        return replace(view, measured=measured, odd=odd_nodes(measured, wall_s))

    def _hear(self, view: FleetView) -> Heard:
        """The reports of now, and what their absence or the gateways' silence means."""
        now_s = self._clock.monotonic_s()
        reports = self._runtime.observe()
        for node_id, report in reports.items():
            self._last_heard_s[node_id] = report.heard_s
        lost = self._lost(view, now_s)
        silent = lost.keys() | {
            node.id
            for node in view.nodes
            if now_s - self._last_heard_s.get(node.id, self._began_s)
            > (self._settings.away_s if node.phase is NodePhase.LOST else self._settings.silent_s)
        }
        present = {node_id: report for node_id, report in reports.items() if node_id not in silent}
        retired = retired_nodes(view, self._rehearsed, reports)
        return Heard(
            reports=present,
            silent=silent | retired.keys(),
            drained=self._drained(view, now_s),
            lost={**lost, **retired},
            retired=frozenset(retired),
        )

    def _lost(self, view: FleetView, now_s: float) -> Mapping[NodeId, Reason]:
        """The nodes that nobody reaches any more; none while agents and gateways still come back to a new control."""
        settings, near = self._settings, self._near()
        if now_s - self._began_s < settings.settle_s:
            return {}
        silence = Silence(
            silent_s={
                node.id: now_s - self._last_heard_s.get(node.id, self._began_s)
                for node in view.nodes
                if node.id not in near
            },
            doors=tuple(door for door in self._doors.observe() if now_s - door.heard_s <= settings.silent_s),
            routed={upstream.replica for route in self._table.routes.values() for upstream in route.upstreams},
            unasked_s=settings.lost_s,
        )
        return lost_nodes(view, silence)

    def _near(self) -> Mapping[NodeId, NodeReport]:
        """The reports of the agents that are not away."""
        since_s = self._clock.monotonic_s() - self._settings.away_s
        return {node_id: report for node_id, report in self._runtime.observe().items() if report.heard_s >= since_s}

    def _drained(self, view: FleetView, now_s: float) -> set[ReplicaId]:
        """Leaving and resting replicas that no gateway uses any more, or, of those that leave, whose time is over.

        Of a gateway that is not on the line it is not known what it answers, and by which table it sends: while one is
        away, or may not have come back to a new control yet, only time ends a drain.
        """
        draining = {replica.id for replica in view.replicas if replica.phase in _ENDING}
        self._draining_since_s = {key: self._draining_since_s.get(key, now_s) for key in draining}
        resting = {replica.id for replica in view.replicas if replica.phase is ReplicaPhase.RESTING}
        doors = self._doors.observe()
        self._doors_heard_s.update((door.door, now_s) for door in doors)
        self._doors_heard_s = {
            door: heard_s for door, heard_s in self._doors_heard_s.items() if now_s - heard_s < DOOR_GONE_S
        }
        are_all_there = len(doors) == len(self._doors_heard_s) and now_s - self._began_s >= self._settings.settle_s
        done: set[ReplicaId] = set()
        for replica, since_s in self._draining_since_s.items():
            without = self._excluded_at.get(replica)
            quiet = (
                bool(doors)
                and are_all_there
                and without is not None
                and all(door.table_version >= without and not door.in_flight.get(replica) for door in doors)
            )
            if quiet or (replica not in resting and now_s - since_s > self._settings.drain_s):
                done.add(replica)
        return done

    def _push_table(self, view: FleetView) -> None:
        """Give the gateways a new table if it says anything new."""
        reports = self._near()
        self._tempos = tempos_after(self._tempos, view, self._catalog)
        self._endpoints = endpoints_after(self._endpoints, view, reports, self._tempos)
        settling = self._clock.monotonic_s() - self._began_s < self._settings.settle_s
        if settling and awaited(view, self._endpoints, reports):
            return
        table = build_table(
            view,
            self._endpoints,
            reports,
            version=self._table.version,
            engines=self._catalog.engines,
            price_of=self._price_of,
        )
        if table != self._table or not self._pushed:
            self._pushed = True
            self._table = replace(table, version=max(self._table.version + 1, int(self._clock.now_s() * 1000)))
            self._doors.push(self._table)
        self._remember_excluded(view)

    def _remember_excluded(self, view: FleetView) -> None:
        """From which table on each leaving replica gets nothing new: the first one pushed since it was leaving."""
        draining = [replica.id for replica in view.replicas if replica.phase in _ENDING]
        self._excluded_at = {key: self._excluded_at.get(key, self._table.version) for key in draining}
