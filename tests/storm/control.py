"""A stand-in of control as a process: `python -m tests.storm.control SOCKET TABLE LEDGER BUG`.

It commits what it is told to a SQLite file and answers then. `BUG` is "" or what is wrong with it: "early" answers before it
commits, "twice" takes each record as often as it is told.
"""

import asyncio
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from alliage.errors import LinkError
from alliage.fleet.routing import RoutingTable
from alliage.fleet.usage import UsageRecord
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import GatewayHello, NewTable, UsageTaken, UsageTold


def open_ledger(path: Path) -> sqlite3.Connection:
    """The file, with its table."""
    ledger = sqlite3.connect(path, isolation_level=None)
    ledger.execute("pragma journal_mode = wal")
    ledger.execute("create table if not exists usage (id text, record blob)")
    ledger.execute("create unique index if not exists once on usage (id)")
    return ledger


def read_ledger(path: Path) -> list[UsageRecord]:
    """All that was taken."""
    ledger = open_ledger(path)
    try:
        rows = ledger.execute("select record from usage").fetchall()
    finally:
        ledger.close()
    return [msgspec.json.decode(row[0], type=UsageRecord) for row in rows]


async def _run(socket: Path, table: RoutingTable, ledger: sqlite3.Connection, bug: str) -> None:
    again = 0

    async def take(told: UsageTold, line: AnsweredLine) -> None:
        nonlocal again
        taken = UsageTaken(journal=told.journal, upto=told.upto)
        if bug == "early":
            line.send(taken)
            await asyncio.sleep(0.2)
        again += 1
        mark = f"#{again}" if bug == "twice" else ""
        ledger.execute("begin immediate")
        ledger.executemany(
            "insert or ignore into usage values (?, ?)",
            [(each.id + mark, msgspec.json.encode(each)) for each in told.records],
        )
        await asyncio.sleep(0.002)  # a kill may come here, or between the commit and the answer
        ledger.execute("commit")
        await asyncio.sleep(0.002)
        if bug != "early":
            line.send(taken)

    async def answer(line: AnsweredLine) -> None:
        with suppress(LinkError):  # a gateway that was killed
            while (message := await line.receive()) is not None:
                if isinstance(message, GatewayHello):
                    line.send(NewTable(table=table))
                elif isinstance(message, UsageTold):
                    await take(message, line)

    await listen(socket, answer)
    await asyncio.Event().wait()


if __name__ == "__main__":
    where, table_file, ledger_file, wrong = sys.argv[1:]
    known = msgspec.json.decode(Path(table_file).read_bytes(), type=RoutingTable)
    asyncio.run(_run(Path(where), known, open_ledger(Path(ledger_file)), wrong))
