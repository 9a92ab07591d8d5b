"""Keeps the books of one gateway process: marks, flushes, tells, counts, and takes over the journals of the dead. The timers live here."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from alliage.gateway.books.accounts import Account, Books
from alliage.gateway.books.counting import Counting
from alliage.gateway.books.journal import Journal, own
from alliage.gateway.books.reading import Inherited, Written
from alliage.gateway.books.telling import Teller
from alliage.gateway.flights import Flights
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.parts import Beat, in_parts, lull

_log: Final = structlog.get_logger("alliage.gateway")
_HEIRS_S: Final = 10.0
"""How often journals of processes that have died since are looked for."""
_LAST_S: Final = 2.0
"""How long a process that ends waits for control to take its last records; the next one tells them otherwise."""


class Keeper:
    """`run` until cancelled, then `close`."""

    def __init__(
        self, folder: Path, books: Books, teller: Teller, counting: Counting, *, flights: Flights, limits: GatewayLimits
    ) -> None:
        self._folder = folder
        self._books = books
        self._teller = teller
        self._counting = counting
        self._flights = flights
        self._limits = limits
        self._inherited: list[Inherited] = []
        self._full = ""
        journal = books.journal
        if journal is not None:
            teller.sources[journal.name] = Written(journal)

    async def run(self) -> None:
        """All the timers."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mark())
            group.create_task(self._tell())
            group.create_task(self._flush())
            group.create_task(self._inherit())

    async def close(self) -> None:
        """Nothing is in work any more: tell what is left, as far as control takes it now."""
        books, teller = self._books, self._teller
        await self._counting.finish()
        books.mark()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                teller.tell()
                while not teller.is_done:
                    await asyncio.sleep(0.01)
                    teller.tell()
        for one in self._inherited:
            one.close()
        journal = books.journal
        if journal is not None:
            books.journal = None
            written = teller.sources[journal.name]
            is_done = teller.is_done and not journal.opened and written.stretch(1) is None
            journal.close(is_done=is_done)

    async def _mark(self) -> None:
        beat = Beat(self._limits.usage_mark_s)
        while True:
            await beat.come()
            await in_parts(self._books.to_mark(), Account.mark)
            self._say()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self._limits.usage_tell_s)
            await lull(self._flights)
            self._counting.look()
            self._teller.tell()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(self._limits.usage_flush_s)
            journal = self._books.journal
            if journal is not None:
                try:
                    await asyncio.to_thread(journal.flush)
                except OSError as error:
                    _log.error("the usage journal was not flushed to the disk", why=str(error))

    async def _inherit(self) -> None:
        while True:
            for one in await asyncio.to_thread(inherited, self._folder):
                _log.info("usage of a gateway that died is told", journal=one.name, cut=one.cut)
                self._inherited.append(one)
                self._teller.sources[one.name] = one
            self._inherited = [each for each in self._inherited if each.name in self._teller.sources]
            journal = self._books.journal
            if journal is not None:
                journal.others_bytes = sum(each.size_bytes for each in self._inherited)
            await asyncio.sleep(_HEIRS_S)

    def _say(self) -> None:
        """Once, where usage cannot be written any more, and once where it can again."""
        journal = self._books.journal
        if journal is None or journal.why_full == self._full:
            return
        self._full = journal.why_full
        if self._full:
            _log.error("usage of new requests cannot be written down; they are served", why=self._full)
        else:
            _log.warning("usage is written down again", unwritten=self._books.unwritten)


def inherited(folder: Path) -> list[Inherited]:
    """The journals whose process is dead and that no other process tells, locked for this one."""
    found = []
    try:
        for path in sorted(each for each in folder.iterdir() if each.name.isalnum()):
            lock = own(path)
            if lock is not None and (one := _taken_over(path, lock)) is not None:
                found.append(one)
    except OSError as error:
        _log.error("usage journals of gateways that died cannot be read", folder=str(folder), why=str(error))
    return found


def _taken_over(path: Path, lock: int) -> Inherited | None:
    """The journal; None where it cannot be read now: it is let go of, and looked at again."""
    try:
        return Inherited(path, lock)
    except OSError as error:
        os.close(lock)
        _log.error("the usage journal of a gateway that died cannot be read", journal=path.name, why=str(error))
        return None


def open_books(folder: Path | None, bytes_max: int) -> Books:
    """Books that are written to a new journal in this folder; None: nothing is metered. Raises OSError."""
    return Books(None if folder is None else Journal(folder, bytes_max=bytes_max))
