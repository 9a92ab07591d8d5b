"""The loop: observe -> decide -> commit -> act. One writer, one pass at a time; the only file of this floor that waits."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from alliage.catalog.records import Catalog
from alliage.control.ports import Changes, Clock, Doors, Runtime, Stale, Store
from alliage.control.reconcile import Pass, Refusals, reconcile
from alliage.control.settle import Heard
from alliage.control.table import awaited, build_table, endpoints_after
from alliage.control.tempos import Kind, Reckoned, tempos_after
from alliage.decide.plan import Budget
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.routing import RoutingTable, Upstream
from alliage.fleet.view import FleetView

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Durations of control, in seconds."""

    tick_s: float = 1.0
    """A pass is done at least so often; a change is acted on at once."""
    silent_s: float = 5.0
    """An agent not heard for so long is lost: nothing new is placed there, what runs is left alone."""
    drain_s: float = 30.0
    """What a leaving replica is given to finish its requests."""
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
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._doors = doors
        self._catalog = catalog
        self._clock = clock
        self._new_id = new_id
        self._settings = settings
        self._woken = woken
        self._began_s = clock.monotonic_s()
        self._last_heard_s: dict[NodeId, float] = {}
        self._draining_since_s: dict[ReplicaId, float] = {}
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
            budget=Budget.unlimited(),
            refused=self._refused,
        )
        version = view.version
        if done.changes != Changes():
            committed = self._store.commit(view.version, done.changes)
            if isinstance(committed, Stale):
                self.wake()
                return None
            version = committed
        self._refused = done.refused
        if done.observations:
            self._store.append(done.observations)
        self._push_table(replace(done.view, version=version))
        self._runtime.act(done.actions)
        return done

    def _observed_view(self) -> FleetView:
        reports = self._runtime.observe().values()
        free = {device: count for report in reports for device, count in report.free_bytes.items()}
        view = replace(self._store.snapshot(), free_bytes=free)
        promised = any(service.objective.is_asked for service in view.services)
        return replace(view, measured=self._store.measured()) if promised else view

    def _hear(self, view: FleetView) -> Heard:
        """The reports of now, and what their absence or the gateways' silence means."""
        now_s = self._clock.monotonic_s()
        reports = self._runtime.observe()
        for node_id, report in reports.items():
            self._last_heard_s[node_id] = report.heard_s
        silent = {
            node.id
            for node in view.nodes
            if now_s - self._last_heard_s.get(node.id, self._began_s) > self._settings.silent_s
        }
        present = {node_id: report for node_id, report in reports.items() if node_id not in silent}
        return Heard(reports=present, silent=silent, drained=self._drained(view, now_s))

    def _drained(self, view: FleetView, now_s: float) -> set[ReplicaId]:
        """Leaving replicas that no gateway uses any more, or whose time is over.

        Without any gateway on the line nothing is known of what they answer: then only time ends a drain.
        """
        draining = {replica.id for replica in view.replicas if replica.phase is ReplicaPhase.DRAINING}
        self._draining_since_s = {key: self._draining_since_s.get(key, now_s) for key in draining}
        doors = self._doors.observe()
        done: set[ReplicaId] = set()
        for replica, since_s in self._draining_since_s.items():
            without = self._excluded_at.get(replica)
            quiet = (
                bool(doors)
                and without is not None
                and all(door.table_version >= without and not door.in_flight.get(replica) for door in doors)
            )
            if quiet or now_s - since_s > self._settings.drain_s:
                done.add(replica)
        return done

    def _push_table(self, view: FleetView) -> None:
        """Give the gateways a new table if it says anything new."""
        reports = self._runtime.observe()
        self._tempos = tempos_after(self._tempos, view, self._catalog)
        self._endpoints = endpoints_after(self._endpoints, view, reports, self._tempos)
        settling = self._clock.monotonic_s() - self._began_s < self._settings.settle_s
        if settling and awaited(view, self._endpoints, reports):
            return
        table = build_table(view, self._endpoints, reports, version=self._table.version)
        if table != self._table or not self._pushed:
            self._pushed = True
            self._table = replace(table, version=max(self._table.version + 1, int(self._clock.now_s() * 1000)))
            self._doors.push(self._table)
        self._remember_excluded(view)

    def _remember_excluded(self, view: FleetView) -> None:
        """From which table on each leaving replica gets nothing new: the first one pushed since it was leaving."""
        draining = [replica.id for replica in view.replicas if replica.phase is ReplicaPhase.DRAINING]
        self._excluded_at = {key: self._excluded_at.get(key, self._table.version) for key in draining}
