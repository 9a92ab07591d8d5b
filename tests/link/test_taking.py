"""Usage over a real line into a ledger: answered only when it is safe, in order, and never stopping the line."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from alliage.errors import StoreError
from alliage.fleet.usage import UsageRecord
from alliage.link.doors import DoorHub
from alliage.link.line import AnsweredLine, DialledLine, dial
from alliage.link.messages import PROTOCOL, GatewayHello, GatewayReport, UsageTaken, UsageTold
from alliage.link.taking import WAITING_MAX
from tests.ledger.builders import a_record
from tests.link.listening import listening
from tests.link.telling import told
from tests.runtimes.scene import until


@dataclass(slots=True)
class SlowLedger:
    """Takes while its gate is open, and fails on the records `j-666` (the disk) and `j-667` (a bug)."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    kept: list[str] = field(default_factory=list)

    async def take(self, records: Sequence[UsageRecord]) -> None:
        """Keep their ids."""
        self.asked += 1
        await self.open.wait()
        names = [record.id for record in records]
        if "j-666" in names:
            raise StoreError("the disk is full")
        if "j-667" in names:
            raise ZeroDivisionError
        self.kept.extend(names)


@asynccontextmanager
async def _joined(folder: Path, ledger: SlowLedger | None) -> AsyncIterator[tuple[DialledLine, DoorHub]]:
    hub = DoorHub(on_change=lambda: None, ledger=ledger)

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, GatewayHello)
        await hub.answer(hello, line)

    async with listening(folder / "c", answer):
        line = await dial(folder / "c")
        line.send(GatewayHello(protocol=PROTOCOL, door="d"))
        yield line, hub
        line.close()


def _told(number: int, *names: str) -> UsageTold:
    return told(number, *(a_record(name) for name in names))


async def _answer(line: DialledLine) -> tuple[int, int]:
    """The number of the stretch that was taken, and how many records it had."""
    taken = await line.receive()
    assert isinstance(taken, UsageTaken)
    return taken.number, taken.records


def test_usage_is_answered_when_it_is_taken(tmp_path: Path) -> None:
    """Not before; in the order in which it was told; and reports are heard meanwhile."""

    async def play() -> None:
        ledger = SlowLedger()
        async with _joined(tmp_path, ledger) as (line, hub):
            line.send(_told(10, "j-1", "j-2"))
            line.send(_told(20, "j-3"))
            line.send(GatewayReport(table_version=3, in_flight={}))
            await until(lambda: bool(hub.observe()) and ledger.asked == 1, 5)
            assert ledger.kept == []
            ledger.open.set()
            assert [await _answer(line) for _ in range(2)] == [(10, 2), (20, 1)]
            assert ledger.kept == ["j-1", "j-2", "j-3"]

    asyncio.run(play())


def test_what_fails_is_not_answered_and_stops_nothing(tmp_path: Path) -> None:
    """A full disk, and a bug: the batches after it are taken, the line stays."""

    async def play() -> None:
        ledger = SlowLedger()
        ledger.open.set()
        async with _joined(tmp_path, ledger) as (line, _):
            for number, name in ((10, "j-666"), (20, "j-667"), (30, "j-1")):
                line.send(_told(number, name))
            assert await _answer(line) == (30, 1)

    asyncio.run(play())


def test_what_is_too_much_is_left_to_be_told_again(tmp_path: Path) -> None:
    """A gateway that tells without waiting fills no memory: what waits is bounded."""

    async def play() -> None:
        ledger = SlowLedger()
        async with _joined(tmp_path, ledger) as (line, hub):
            line.send(_told(0, "j-0"))
            await until(lambda: ledger.asked == 1, 5)
            for number in range(1, 3 * WAITING_MAX):
                line.send(_told(number, f"j-{number}"))
            line.send(GatewayReport(table_version=3, in_flight={}))
            await until(lambda: bool(hub.observe()), 5)
            ledger.open.set()
            taken = [await _answer(line) for _ in range(WAITING_MAX + 1)]
            assert taken == [(number, 1) for number in range(WAITING_MAX + 1)]

    asyncio.run(play())


def test_without_a_ledger_nothing_is_answered(tmp_path: Path) -> None:
    """The gateway keeps its journal; the line goes on, and says nothing of usage until its end."""

    async def play() -> None:
        async with _joined(tmp_path, None) as (line, hub):
            line.send(_told(10, "j-1"))
            line.send(GatewayReport(table_version=3, in_flight={}))
            await until(lambda: bool(hub.observe()), 5)
            again = await dial(tmp_path / "c")
            again.send(GatewayHello(protocol=PROTOCOL, door="d"))  # it takes the place of the first, which ends
            assert await line.receive() is None
            again.close()

    asyncio.run(play())


def test_a_line_that_ends_takes_what_waits_with_it(tmp_path: Path) -> None:
    """It is told again on the next line; nothing is answered into a line that is gone."""

    async def play() -> None:
        ledger = SlowLedger()
        async with _joined(tmp_path, ledger) as (line, hub):
            line.send(GatewayReport(table_version=3, in_flight={}))
            line.send(_told(10, "j-1"))
            await until(lambda: ledger.asked == 1, 5)
            line.close()
            await until(lambda: hub.observe() == (), 5)
            ledger.open.set()
        assert ledger.kept == []

    asyncio.run(play())
