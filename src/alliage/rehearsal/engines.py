"""The process of rehearsed engines: many replicas in one, each with an address, a key and a death of its own.

It listens on a Unix socket for the agent of the rehearsed nodes. When no agent has come for `CLAIM_S` it ends what it
is, as the watcher of a real engine does.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog

from alliage.control.observed import EngineState
from alliage.errors import LinkError
from alliage.fleet.ids import ReplicaId
from alliage.link.line import Line
from alliage.rehearsal.door import Door
from alliage.rehearsal.messages import Bed, Fault, FromEngines, Lag, Open, Shut, ToEngines
from alliage.rehearsal.replica import Rehearsed

CLAIM_S: Final = 60.0
LAG_EVERY_S: Final = 1.0
_log = structlog.get_logger(__name__)
AgentLine = Line[ToEngines, FromEngines]
EnginesLine = Line[FromEngines, ToEngines]
"""The same line as the agent has it."""


class Engines:
    """All replicas of this process."""

    def __init__(self) -> None:
        self._replicas: dict[ReplicaId, Rehearsed] = {}
        self._agent: AgentLine | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._late_s = 0.0
        self._alone_since_s = asyncio.get_running_loop().time()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one agent's line to its end; a later one takes its place. What there is is told first."""
        line: AgentLine = Line(reader, writer, ToEngines)
        if self._agent is not None:
            self._agent.close()
        self._agent = line
        self._idle.clear()
        for replica in self._replicas.values():
            self._send(replica.told())
        try:
            while (message := await line.receive()) is not None:
                await self._obey(message)
        except LinkError as error:
            _log.warning("the agent's line broke", error=str(error))
        finally:
            line.close()
            if self._agent is line:
                self._agent, self._alone_since_s = None, asyncio.get_running_loop().time()
                self._idle.set()

    async def tend(self) -> None:
        """Tell how late steps end, and end all when nobody has claimed them for long; never returns."""
        while True:
            await asyncio.sleep(LAG_EVERY_S)
            late_s, self._late_s = self._late_s, 0.0
            self._send(Lag(late_s=late_s))
            if self._agent is None and asyncio.get_running_loop().time() - self._alone_since_s > CLAIM_S:
                self.end("no agent claimed it for a minute")

    def end(self, why: str) -> None:
        """End all replicas."""
        for replica in self._replicas.values():
            replica.end(why, EngineState.STOPPED)
        self._replicas.clear()

    async def leave(self) -> None:
        """End all, and the line to the agent."""
        self.end("this process was told to leave")
        if self._agent is not None:
            self._agent.close()
            await self._idle.wait()

    async def _obey(self, message: ToEngines) -> None:
        match message:
            case Open():
                await self._open(message)
            case Shut(replica=key):
                if (replica := self._replicas.pop(key, None)) is not None:
                    replica.end("", EngineState.STOPPED)
            case Bed(replica=key, wake=wake):
                if (replica := self._replicas.get(key)) is not None:
                    replica.wake() if wake else replica.sleep()
            case Fault(replica=key, kind=kind, factor=factor):
                if (replica := self._replicas.get(key)) is not None:
                    replica.suffer(kind, factor)

    async def _open(self, order: Open) -> None:
        before = self._replicas.get(order.replica)
        if before is not None and before.order.attempt >= order.attempt:
            return
        replica = Rehearsed(order, tell=self._send, late=self._note)
        self._replicas[order.replica] = replica
        try:
            await replica.listen(lambda: Door(replica))
        except OSError as error:
            replica.end(f"it could not listen at {order.host} ({error.strerror})")

    def _note(self, late_s: float) -> None:
        self._late_s = max(self._late_s, late_s)

    def _send(self, message: FromEngines) -> None:
        if self._agent is not None:
            with contextlib.suppress(LinkError):
                self._agent.send(message)


async def run_engines(path: Path, stop: asyncio.Event) -> None:
    """Listen at the Unix socket `path` (0600) until `stop`."""
    engines = Engines()
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(engines.answer, str(path))
    path.chmod(0o600)
    tending = asyncio.create_task(engines.tend())
    try:
        await stop.wait()
    finally:
        tending.cancel()
        server.close()
        await engines.leave()
