"""The agent's process: dials control, obeys Start and Stop, reports all it keeps, and adopts what an agent before it left."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

import structlog

from alliage.catalog.records import Catalog, Chip
from alliage.control.actions import StartReplica, StopReplica
from alliage.control.observed import EngineState, ReplicaReport
from alliage.errors import AlliageError, LinkError
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.nodes import Node
from alliage.link.line import DialledLine, dial
from alliage.link.messages import (
    PROTOCOL,
    AgentHello,
    AgentReport,
    FromControl,
    LeaveLog,
    LogPiece,
    NewLeases,
    NewTable,
    ReadLog,
    Refused,
    Sleep,
    Start,
    Stop,
    UsageTaken,
    Wake,
)
from alliage.runtimes.detect import detect_node, free_bytes
from alliage.runtimes.detection.watch import AcceleratorWatch
from alliage.runtimes.folders import ReplicaFolder, folder_of, kept_folders, prune_folders
from alliage.runtimes.keeper import Keeper, Place, Weights
from alliage.runtimes.logs import read_log
from alliage.runtimes.settings import AgentSettings

_log = structlog.get_logger(__name__)
_END_SPARE_S: Final = 5.0
"""Beyond the grace, for the kill and the last words."""


async def run_agent(
    *,
    control: Path,
    home: Path,
    node: NodeId,
    site: str,
    chips: Iterable[Chip],
    weights: Weights,
    settings: AgentSettings,
    stop: asyncio.Event,
    leave: asyncio.Event | None = None,
    at_once: asyncio.Event | None = None,
    accelerators: AcceleratorWatch | None = None,
    catalog: Catalog | None = None,
) -> None:
    """Be this node's agent until `stop` (engines end, unless `settings.leave_engines`) or `leave` (they stay).

    `at_once` cuts the engines' grace short. `control` is the path of control's socket, `home` is $ALLIAGE_HOME. Engines that stay are adopted by the next
    agent of the home, or end after `settings.claim_s`. Without `accelerators` the node has its CPU only; `catalog` has
    the facts by which engines are started.
    """
    found = detect_node(node, site, chips, llama_server=settings.llama_server, vllm_python=settings.vllm_python)
    here = replace(found, region=settings.region, tags=settings.tags)
    agent = _Agent(home, here, weights=weights, settings=settings, accelerators=accelerators, catalog=catalog)
    await agent.adopt()
    talking = asyncio.create_task(agent.talk(control))
    looking = asyncio.create_task(agent.look())
    waits = [asyncio.create_task(event.wait()) for event in (stop, leave) if event is not None]
    try:
        await asyncio.wait((*waits, talking), return_when=asyncio.FIRST_COMPLETED)
        if talking.done():
            talking.result()  # a bug: it never ends by itself
    finally:
        for task in (*waits, talking, looking):
            task.cancel()
        await asyncio.wait((*waits, talking, looking))
        await agent.end(leave_engines=settings.leave_engines or not stop.is_set(), at_once=at_once)


class _Agent:
    def __init__(
        self,
        home: Path,
        node: Node,
        *,
        weights: Weights,
        settings: AgentSettings,
        accelerators: AcceleratorWatch | None,
        catalog: Catalog | None,
    ) -> None:
        self._home = home
        self._bare_node = self._node = node
        self._accelerators = accelerators
        self._looked = asyncio.Event()
        self._settings = settings
        self._changed = asyncio.Event()
        programs = {engine.engine: engine.program for engine in node.engines}
        self._place = Place(
            home=home,
            weights=weights,
            programs=programs,
            settings=settings,
            changed=self._changed.set,
            catalog=catalog,
        )
        self._keepers: dict[ReplicaId, Keeper] = {}
        self._told_stopped_s: dict[ReplicaId, float] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}

    async def adopt(self) -> None:
        """Find what the last agent left: what runs is kept, what ended is reported, the rest forgotten."""
        await asyncio.gather(*(self._adopt(folder) for folder in kept_folders(self._home)))
        prune_folders(self._home, self._settings.gone_folders)

    async def _adopt(self, folder: ReplicaFolder) -> None:
        spec = folder.spec()
        if spec is None:
            _log.warning("not adopted: written by another version", folder=str(folder.path))
            return
        keeper = Keeper(self._place, spec.replica)
        if await keeper.adopt(spec):
            self._keepers[spec.replica] = keeper
            _log.info("adopted", replica=spec.replica, state=keeper.state)
        else:
            keeper.forget()

    async def look(self) -> None:
        """Look at the accelerators again and again; a change of them is told. What went wrong is logged, and tried again."""
        while self._accelerators is not None:
            try:
                if await self._accelerators.look_aside():
                    self._node = replace(
                        self._bare_node, devices=(*self._bare_node.devices, *self._accelerators.devices)
                    )
                    self._changed.set()
            except Exception:  # noqa: BLE001 - a task boundary: a bug here must not cost the engines their agent
                _log.exception("the accelerators could not be looked at; engines go on")
            self._looked.set()
            await asyncio.sleep(self._accelerators.wait_s)
        self._looked.set()

    async def talk(self, control: Path) -> None:
        """Dial control again and again and speak with it, once all devices are known; never returns."""
        await self._looked.wait()
        settings = self._settings
        wait_s = settings.redial_first_s
        while True:
            try:
                line = await dial(control)
            except LinkError:
                wait_s = min(settings.redial_last_s, wait_s * 2)
            else:
                wait_s = settings.redial_last_s if await self._converse(line) else settings.redial_first_s
            await asyncio.sleep(wait_s)

    async def _converse(self, line: DialledLine) -> bool:
        """Until the line breaks; whether control refused us."""
        line.send(AgentHello(protocol=PROTOCOL, node=self._node))
        reporting = asyncio.create_task(self._report(line))
        reporting.add_done_callback(lambda _: line.close())  # a line without reports is of no use
        try:
            while (message := await line.receive()) is not None:
                if isinstance(message, Refused):
                    _log.error("control refused this agent", why=message.why)
                    return True
                self._obey(message, line)
        except LinkError as error:
            _log.warning("the line to control broke", error=str(error))
        finally:
            for task in (reporting, *self._readers.values()):
                task.cancel()
            line.close()
        if reporting.done():
            reporting.result()  # a bug
        return False

    async def _report(self, line: DialledLine) -> None:
        """Tell all on each change, not faster than `report_gap_s`, and as the heartbeat."""
        with contextlib.suppress(LinkError):
            while True:
                self._changed.clear()
                line.send(self._whole_report())
                self._drop_told()
                await asyncio.sleep(self._settings.report_gap_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._settings.report_every_s)

    def _whole_report(self) -> AgentReport:
        replicas: dict[ReplicaId, ReplicaReport] = {name: keeper.report() for name, keeper in self._keepers.items()}
        free = dict.fromkeys((device.id for device in self._bare_node.devices), free_bytes())
        if self._accelerators is not None:
            free |= self._accelerators.free_bytes
        return AgentReport(node=self._node, free_bytes=free, replicas=replicas)

    def _drop_told(self) -> None:
        """Forget replicas that were told to be stopped for long enough."""
        now = time.monotonic()
        for name, keeper in tuple(self._keepers.items()):
            if keeper.state is not EngineState.STOPPED:
                self._told_stopped_s.pop(name, None)
            elif now - self._told_stopped_s.setdefault(name, now) > self._settings.stopped_told_s:
                del self._keepers[name], self._told_stopped_s[name]
                prune_folders(self._home, self._settings.gone_folders)

    def _obey(self, message: FromControl, line: DialledLine) -> None:
        try:
            match message:
                case Start(order=order):
                    self._start(order)
                case Stop(order=order):
                    self._stop(order)
                case Sleep(order=order):
                    self._keeper(order.replica).sleep()
                    self._changed.set()
                case Wake(order=order):
                    self._keeper(order.replica).wake()
                case ReadLog():
                    self._read_log(message, line)
                case LeaveLog(request=request):
                    self._leave_log(request)
                case NewTable() | NewLeases() | UsageTaken() | Refused():
                    _log.warning("not for an agent", message=type(message).__name__)
                case _:
                    assert_never(message)
        except AlliageError as error:
            _log.warning("an order was not followed", error=str(error))

    def _start(self, order: StartReplica) -> None:
        self._keeper(order.replica.id).start(order)

    def _stop(self, order: StopReplica) -> None:
        self._keeper(order.replica).stop(order.grace_s)
        self._changed.set()

    def _keeper(self, replica: ReplicaId) -> Keeper:
        if replica not in self._keepers:
            self._keepers[replica] = Keeper(self._place, replica)
        return self._keepers[replica]

    def _read_log(self, asked: ReadLog, line: DialledLine) -> None:
        pieces = read_log(
            folder_of(self._home, asked.replica).log_path,
            lines=asked.lines,
            follow=asked.follow,
            is_over=lambda: self._is_gone(asked.replica),
        )
        task = asyncio.create_task(_send_log(line, asked.request, pieces))
        self._readers[asked.request] = task
        task.add_done_callback(lambda _: self._readers.pop(asked.request, None))

    def _leave_log(self, request: int) -> None:
        if (reader := self._readers.get(request)) is not None:
            reader.cancel()

    def _is_gone(self, replica: ReplicaId) -> bool:
        keeper = self._keepers.get(replica)
        return keeper is None or keeper.state is EngineState.STOPPED

    async def end(self, *, leave_engines: bool, at_once: asyncio.Event | None) -> None:
        """Leave: with the engines running, or ended within the grace, or killed when `at_once` comes."""
        keepers = tuple(self._keepers.values())
        if not leave_engines:
            await self._end_engines(keepers, at_once or asyncio.Event())
        await asyncio.gather(*(keeper.leave() for keeper in keepers))

    async def _end_engines(self, keepers: tuple[Keeper, ...], at_once: asyncio.Event) -> None:
        for keeper in keepers:
            keeper.stop(self._settings.grace_s)
        ended = asyncio.gather(*(keeper.settled() for keeper in keepers))
        hurry = asyncio.ensure_future(at_once.wait())
        waits: set[asyncio.Future[object]] = {ended, hurry}  # type: ignore[arg-type]
        await asyncio.wait(waits, timeout=self._settings.grace_s + _END_SPARE_S, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ended.done():
            for keeper in keepers:
                keeper.stop(0.0)
            await asyncio.wait({ended}, timeout=_END_SPARE_S / 2)
        ended.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ended


async def _send_log(line: DialledLine, request: int, pieces: AsyncIterator[str]) -> None:
    try:
        async for text in pieces:
            line.send(LogPiece(request=request, text=text, end=False))
        line.send(LogPiece(request=request, text="", end=True))
    except LinkError:
        return
    except (AlliageError, OSError) as error:
        with contextlib.suppress(LinkError):
            line.send(LogPiece(request=request, text="", end=True, error=str(error)))
