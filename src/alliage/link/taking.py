"""Usage from one gateway's line into the ledger, and the word back that it was taken."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

import structlog

from alliage.errors import AlliageError, LinkError
from alliage.fleet.usage import UsageRecord
from alliage.link.line import AnsweredLine
from alliage.link.messages import UsageTaken, UsageTold
from alliage.link.stretches import StretchReader

WAITING_MAX: Final = 8
"""Batches of one line that wait; what comes beyond is dropped, for a gateway tells again what was not taken."""
_log = structlog.get_logger(__name__)


class Ledger(Protocol):
    """Where usage goes."""

    def take(self, records: Sequence[UsageRecord]) -> Awaitable[None]:
        """Keep the records, each once however often it is told; when it returns they are safe."""
        ...


class UsageTaker:
    """Takes the batches of one line in their order, beside whoever reads the line. A batch that fails is not answered."""

    def __init__(self, ledger: Ledger, line: AnsweredLine, door: str) -> None:
        self._ledger = ledger
        self._line = line
        self._door = door
        self._waiting: asyncio.Queue[UsageTold] = asyncio.Queue(WAITING_MAX)
        self._task = asyncio.create_task(self._run())

    def hear(self, told: UsageTold) -> None:
        """Take it when those before it are taken."""
        try:
            self._waiting.put_nowait(told)
        except asyncio.QueueFull:
            _log.info("usage was not taken, too much of it waits; it will be told again", door=self._door)

    def close(self) -> None:
        """The line is gone: what waits is told again on the next one. What is being written goes on in its thread."""
        self._task.cancel()

    async def _run(self) -> None:
        reader = StretchReader()
        while True:
            told = await self._waiting.get()
            try:
                read = reader.read(told)
                if read.records:
                    await self._ledger.take(read.records)
                self._line.send(
                    UsageTaken(journal=told.journal, number=told.number, upto=read.upto, records=len(read.records))
                )
            except LinkError as error:
                _log.warning(
                    "usage was not read or not answered; it will be told again", door=self._door, error=str(error)
                )
            except AlliageError as error:
                _log.error("usage was not taken; it will be told again", door=self._door, error=str(error))
            except Exception:  # noqa: BLE001 - a task boundary: one bad batch must not end the taking
                _log.exception("usage was not taken; it will be told again", door=self._door)
