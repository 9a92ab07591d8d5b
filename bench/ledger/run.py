"""What taking usage into the ledger costs: batches through the bookkeeper's whole path, against plain inserts of the same rows.

`python -m bench.ledger.run`: both write to SQLite files on one disk, with the same journal and fsync, a batch a transaction, in
turns. Ours charges each record, looks for its id, keeps six indexes and two kinds of running sums; the plain ones do none of that.
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from alliage.app.clock import SystemClock
from alliage.control.bookkeeping import Bookkeeper
from alliage.fleet.ids import KeyId
from alliage.fleet.prices import TokenPrice
from alliage.fleet.usage import UsageRecord
from alliage.ledger.charging import Pricing, charged
from alliage.store import rows, tables
from alliage.store.sql import open_store
from tests.ledger.builders import a_price, a_record

COLUMNS = [column.name for column in tables.charges.columns if column.name != "number"]
PRICES = [a_price("chat"), a_price("qwen*", TokenPrice(output_micros=5))]


def made(first: int, count: int) -> list[UsageRecord]:
    """Records of 50 keys of 5 tenants, some seconds apart."""
    return [
        replace(
            a_record(f"{index:012x}"),
            tenant=f"t{index % 5}",
            key=KeyId(f"key-{index % 50}"),
            began_s=1.79e9 + index * 0.37,
        )
        for index in range(first, first + count)
    ]


def plain_file(path: Path) -> sqlite3.Connection:
    """One table without an index, as durable as the store."""
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute("PRAGMA journal_mode=WAL")
    plain.execute("PRAGMA synchronous=FULL")
    plain.execute(f"CREATE TABLE charges ({', '.join(COLUMNS)})")
    return plain


def plain_s(plain: sqlite3.Connection, ready: Sequence[tuple[object, ...]]) -> float:
    """Seconds of one batch, whose rows are made already."""
    statement = f"INSERT INTO charges VALUES ({', '.join('?' * len(COLUMNS))})"
    began_s = time.perf_counter()
    plain.execute("BEGIN IMMEDIATE")
    plain.executemany(statement, ready)
    plain.execute("COMMIT")
    return time.perf_counter() - began_s


async def ours_s(books: Bookkeeper, records: Sequence[UsageRecord]) -> float:
    """Seconds of one batch."""
    began_s = time.perf_counter()
    await books.take(records)
    return time.perf_counter() - began_s


async def run(batch: int, batches: int, folder: Path) -> None:
    """Print both, and the ratio."""
    with closing(open_store(folder / "ours.db")) as store, closing(plain_file(folder / "plain.db")) as plain:
        store.books().list_prices(PRICES)
        ours, theirs, again = list[float](), list[float](), list[float]()
        with closing(Bookkeeper(store.books(), SystemClock(), currency="USD")) as books:
            for number in range(batches):
                records = made(number * batch, batch)
                packed = [rows.charge_row(charged(record, Pricing(PRICES))) for record in records]
                theirs.append(plain_s(plain, [tuple(row[name] for name in COLUMNS) for row in packed]))
                ours.append(await ours_s(books, records))
                again.append(await ours_s(books, records))
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    told = statistics.median(repeat / first for repeat, first in zip(again, ours, strict=True))
    print(f"{batches} batches of {batch} records, SQLite, write-ahead log, synchronous=FULL")
    print(f"taken into the ledger: {batch / statistics.median(ours):,.0f} records/s (median batch)")
    print(f"plain inserts:         {batch / statistics.median(theirs):,.0f} records/s")
    print(
        f"a batch of ours takes {ratio:.1f} times a plain one; told again (nothing new) {told:.2f} times the first time"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--batches", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made_here:
        asyncio.run(run(given.batch, given.batches, Path(made_here)))
