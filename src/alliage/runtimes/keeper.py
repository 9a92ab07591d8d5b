"""A keeper: one replica on this node, from its Start to its Stop. It fetches, starts, watches and reports it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from alliage.catalog.records import Catalog, ModelCard
from alliage.control.actions import StartReplica
from alliage.control.observed import EngineState, ReplicaReport
from alliage.errors import AlliageError, Unavailable
from alliage.fleet.ids import ReplicaId
from alliage.runtimes.claim import Claim, claim, end_orphans, end_watcher, reap, start_watcher
from alliage.runtimes.folders import Exit, Spec, folder_of
from alliage.runtimes.health import Physician
from alliage.runtimes.lastwords import exit_sentence
from alliage.runtimes.probe import Answer, order
from alliage.runtimes.processes import boot_id, resident_bytes
from alliage.runtimes.settings import AgentSettings
from alliage.runtimes.starting import spec_of

_log = structlog.get_logger(__name__)


class Weights(Protocol):
    """Where model files come from."""

    async def fetch(self, card: ModelCard, progress: Callable[[int, int], None]) -> Path:
        """What an engine is started on, fetched if needed; `progress` gets the bytes so far and in all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What every keeper of a node shares. `programs` maps engine ids to the programs found here.

    Without a `catalog` only engines that need no facts of their stack can be started.
    """

    home: Path
    weights: Weights
    programs: Mapping[str, str]
    settings: AgentSettings
    changed: Callable[[], None]
    catalog: Catalog | None = None


class Keeper:
    """One replica. Its task runs while there is something to wait for."""

    def __init__(self, place: Place, replica: ReplicaId) -> None:
        self._place = place
        self._folder = folder_of(place.home, replica)
        self._report = _blank(replica)
        self._task: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[Path] | None = None
        self._claim: Claim | None = None
        self._watcher_pid: int | None = None
        self._ready_since_s: float | None = None
        self._stop_grace_s: float | None = None
        self._failure = ""
        self._spec: Spec | None = None
        self._is_asleep = False
        self._moving: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        """Where it is."""
        return self._report.state

    def report(self) -> ReplicaReport:
        """As of now."""
        ready_for_s = 0.0 if self._ready_since_s is None else time.monotonic() - self._ready_since_s
        pid = self._report.pid
        return replace(self._report, ready_for_s=ready_for_s, resident_bytes=resident_bytes(pid) if pid else 0)

    def start(self, order: StartReplica) -> None:
        """Start its engine, unless this attempt was made already or an engine is there."""
        running = self._task is not None and not self._task.done()
        if running or (self.state is EngineState.ENDED and order.attempt == self._report.attempt):
            return
        self._stop_grace_s, self._failure = None, ""
        self._put(replace(_blank(self._report.replica), attempt=order.attempt, state=EngineState.FETCHING))
        self._run(lambda: self._bring_up(order))

    def stop(self, grace_s: float) -> None:
        """End its engine; STOPPED comes when it is gone, at once when nothing runs."""
        self._stop_grace_s = grace_s
        if self._fetching is not None:
            self._fetching.cancel()
        elif self._claim is not None:
            self._claim.stop(grace_s)
        elif self._task is None or self._task.done():
            self._settle(None)

    def sleep(self) -> None:
        """Let its engine fall asleep; ASLEEP comes when it has. One that cannot is ended."""
        if self._claim is None or self._spec is None:
            return
        if not self._spec.sleep_path:
            self.stop(self._place.settings.grace_s)
        elif self.state is EngineState.READY and self._moving is None:
            self._moving = asyncio.create_task(self._move(self._claim, self._spec, to_sleep=True))

    def wake(self) -> None:
        """Wake it; READY comes when it is awake."""
        if self._claim is not None and self._spec is not None and self._is_asleep and self._moving is None:
            self._moving = asyncio.create_task(self._move(self._claim, self._spec, to_sleep=False))

    async def _move(self, claimed: Claim, spec: Spec, *, to_sleep: bool) -> None:
        """One that does not do it in the time of a start is ended: nobody knows then what it holds."""
        path = spec.sleep_path if to_sleep else spec.wake_path
        done = await order(spec.host, spec.port, path, key=spec.key, timeout_s=spec.ready_within_s)
        self._moving = None
        if done is not Answer.WELL:
            self._failure = f"the engine could not {'fall asleep' if to_sleep else 'wake'} ({done} at {path})"
            claimed.stop(self._place.settings.grace_s)
            return
        self._folder.mark_asleep(to_sleep)
        self._is_asleep = to_sleep
        self._tell(EngineState.READY)

    async def adopt(self, spec: Spec) -> bool:
        """Take on what an agent before us started; False when it is simply gone, without a failure to report."""
        self._report = replace(self._report, attempt=spec.attempt)
        try:
            claimed = await claim(self._folder)
        except Unavailable:
            return self._adopt_end(spec)
        self._claim, self._is_asleep = claimed, self._folder.is_asleep
        # The watcher is the engine's parent: while it answers, the pid cannot be another's.
        self._put(_starting(self._report, claimed, spec))
        physician = Physician(spec, claimed.watched.pid, self._place.settings, self._tell)
        if await physician.probe() is Answer.WELL:
            self._tell(EngineState.READY)
        self._run(lambda: self._tend(claimed, spec))
        return True

    async def leave(self) -> None:
        """Stop keeping it; an engine that runs stays for the next agent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._claim is not None:
            self._claim.close()  # the task had not begun

    async def settled(self) -> None:
        """Wait until nothing runs any more."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def forget(self) -> None:
        """Drop all but its logs."""
        self._folder.forget()

    def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        self._task = asyncio.create_task(self._guard(work))

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """The task's boundary: what goes wrong becomes the replica's end, never the agent's."""
        try:
            await work()
        except (AlliageError, OSError) as error:
            self._failure = str(error)
            self._settle(None)
        except Exception as error:  # noqa: BLE001 - a task's boundary
            _log.exception("keeper failed", replica=self._report.replica)
            self._failure = f"the agent failed at this replica: {error!r}"
            self._settle(None)
        self._place.changed()

    async def _bring_up(self, order: StartReplica) -> None:
        try:
            path = await self._fetch(order.model)
        except asyncio.CancelledError:
            if self._stop_grace_s is None:
                raise
            self._settle(None)
            return
        place = self._place
        spec = spec_of(
            order,
            model_path=path,
            folder=self._folder.path,
            programs=place.programs,
            catalog=place.catalog,
            settings=place.settings,
        )
        self._folder.prepare(spec)
        self._watcher_pid = await start_watcher(self._folder)
        try:
            claimed = await claim(self._folder)
        except Unavailable:
            end_watcher(self._watcher_pid)  # if it still runs: nobody holds its line, so nothing of it may stay
            await self._settle_gone()
            return
        if self._stop_grace_s is not None:
            claimed.stop(self._stop_grace_s)
        await self._tend(claimed, spec)

    async def _fetch(self, model: ModelCard) -> Path:
        self._fetching = asyncio.create_task(self._place.weights.fetch(model, self._progress))
        try:
            return await self._fetching
        finally:
            self._fetching = None

    def _progress(self, fetched: int, total: int) -> None:
        self._put(replace(self._report, fetched_bytes=fetched, total_bytes=total))

    async def _tend(self, claimed: Claim, spec: Spec) -> None:
        """While the engine runs; its end is settled here."""
        self._claim, self._spec = claimed, spec
        if self._report.pid != claimed.watched.pid:
            self._put(_starting(self._report, claimed, spec))
        attending = asyncio.create_task(self._attend(claimed, spec))
        try:
            end = await claimed.ended()
        finally:
            attending.cancel()
            if self._moving is not None:
                self._moving.cancel()
            claimed.close()
            self._claim, self._moving, self._is_asleep = None, None, False
        if end is None:
            end_orphans(claimed.watched)
            await self._settle_gone()
            return
        await self._reap()
        self._settle(end)

    async def _settle_gone(self) -> None:
        """The watcher went without a word to us; it may have left one."""
        await self._reap()
        self._settle(self._folder.exit())

    async def _attend(self, claimed: Claim, spec: Spec) -> None:
        physician = Physician(spec, claimed.watched.pid, self._place.settings, self._tell)
        if self.state is EngineState.READY or await physician.until_ready():
            await physician.attend()
            self._failure = f"the engine did not answer for {self._place.settings.ill_s:g} s"
        else:
            self._failure = f"the engine was not ready within {spec.ready_within_s:g} s"
        claimed.stop(self._place.settings.grace_s)

    async def _reap(self) -> None:
        """The watcher is our child when we started it; it ends right after its last word."""
        deadline = time.monotonic() + 5.0
        while self._watcher_pid is not None and not reap(self._watcher_pid) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # some milliseconds; a SIGCHLD handler would be the whole process's
        self._watcher_pid = None

    def _tell(self, state: EngineState) -> None:
        if state is EngineState.READY and self._is_asleep:
            state = EngineState.ASLEEP  # it is well
        if state is not self.state:
            self._ready_since_s = time.monotonic() if state is EngineState.READY else None
            self._put(replace(self._report, state=state))

    def _settle(self, end: Exit | None) -> None:
        """The engine is gone: because we asked (STOPPED) or not (ENDED)."""
        if self._stop_grace_s is not None:
            self._ready_since_s = None
            self._put(replace(self._report, state=EngineState.STOPPED, pid=0, key="", ended_why=""))
            self.forget()
        elif end is None:
            self._fail(self._failure or "the engine's watcher was killed, and the engine with it")
        else:
            self._fail(f"{self._failure}; {exit_sentence(end)}" if self._failure else exit_sentence(end))

    def _fail(self, why: str) -> None:
        self._ready_since_s = None
        self._put(replace(self._report, state=EngineState.ENDED, pid=0, key="", ended_why=why))

    def _adopt_end(self, spec: Spec) -> bool:
        end = self._folder.exit()
        if spec.boot_id != boot_id() or (end is not None and end.why != "self"):
            return False
        self._settle(end)
        return True

    def _put(self, report: ReplicaReport) -> None:
        if report != self._report:
            self._report = report
            self._place.changed()


def _blank(replica: ReplicaId) -> ReplicaReport:
    return ReplicaReport(
        replica=replica,
        attempt=0,
        state=EngineState.STOPPED,
        host="",
        port=0,
        key="",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=0.0,
        ended_why="",
        pid=0,
        resident_bytes=0,
    )


def _starting(report: ReplicaReport, claimed: Claim, spec: Spec) -> ReplicaReport:
    pid = claimed.watched.pid
    return replace(report, state=EngineState.STARTING, pid=pid, host=spec.host, port=spec.port, key=spec.key)
