"""Control in a process of its own, as far as the books go: `DATABASE FROM UNTIL DIES_AFTER`.

It takes each batch and then answers with its number; after the batch DIES_AFTER it ends by SIGKILL, committed but unanswered.
"""

import os
import random
import signal
import sys
from dataclasses import replace

from alliage.fleet.ids import KeyId, ServiceName
from alliage.fleet.usage import UsageRecord
from alliage.ledger.charging import Pricing, charged
from alliage.store.sql import open_store
from tests.ledger.builders import NOVEMBER_S, a_price, a_record

BATCH = 25
PRICING = Pricing([a_price("chat")])


def batch(number: int) -> list[UsageRecord]:
    """The records of one batch, the same each time; its last one is the first of the next, as when a journal is told again."""
    return [record(index) for index in range(number * BATCH, (number + 1) * BATCH + 1)]


def record(index: int) -> UsageRecord:
    """The record of a number."""
    draw = random.Random(index)
    made = a_record(
        f"r{index}",
        tenant=draw.choice(["acme", "duck"]),
        key=KeyId(draw.choice(["key-1", "key-2"])),
        service=ServiceName(draw.choice(["chat", "free"])),
        began_s=NOVEMBER_S + draw.uniform(-3, 3) * 86400,
        prompt_tokens=draw.randrange(100_000),
        output_tokens=draw.randrange(10_000),
        is_estimated=draw.random() < 0.1,
    )
    return replace(made, cached_tokens=draw.randrange(made.prompt_tokens + 1))


def take(place: str, first: int, until: int, dies_after: int) -> None:
    """Batch after batch."""
    store = open_store(place)
    books = store.books()
    for number in range(first, until):
        books.take([charged(each, PRICING) for each in batch(number)])
        if number == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        print(number, flush=True)  # noqa: T201  # the answer
    store.close()


if __name__ == "__main__":
    take(sys.argv[1], *(int(each) for each in sys.argv[2:]))
