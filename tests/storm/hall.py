"""A stand-in of the process of rehearsed engines: the agent of a rehearsal opens its replicas here, and they have the storm's faults."""

import asyncio
from contextlib import suppress
from pathlib import Path

from alliage.control.observed import EngineState
from alliage.errors import LinkError
from alliage.fleet.ids import ReplicaId
from alliage.link.line import Line
from alliage.rehearsal.engines import AgentLine
from alliage.rehearsal.messages import Lag, Open, Shut, ToEngines, Told
from tests.gateway.upstream import Behaviour, Engine


class Hall:
    """The engines. They are ready at once, and keep no time."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._engines: dict[ReplicaId, Engine] = {}
        self._told: dict[ReplicaId, Told] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        """For the agent, as `rehearsal.engines` does."""
        self._server = await asyncio.start_unix_server(self._answer, str(path))

    async def stop(self) -> None:
        """End all."""
        if self._server is not None:
            self._server.close()
        for engine in self._engines.values():
            await engine.stop()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line: AgentLine = Line(reader, writer, ToEngines)
        with suppress(LinkError):
            for told in self._told.values():
                line.send(told)
            line.send(Lag(late_s=0.0))
            while (message := await line.receive()) is not None:
                if isinstance(message, Open):
                    line.send(await self._open(message))
                elif isinstance(message, Shut):
                    await self._shut(message.replica)
        line.close()

    async def _open(self, order: Open) -> Told:
        await self._shut(order.replica)
        engine = self._engines[order.replica] = await Engine(self._behave).__aenter__()
        told = self._told[order.replica] = Told(
            replica=order.replica,
            attempt=order.attempt,
            state=EngineState.READY,
            host="127.0.0.1",
            port=engine.port,
            key=order.key,
        )
        return told

    async def _shut(self, replica: ReplicaId) -> None:
        self._told.pop(replica, None)
        if (engine := self._engines.pop(replica, None)) is not None:
            await engine.stop()
