"""Control in a process of its own, as far as the books go: `DATABASE FROM UNTIL DIES_AFTER`, or `DATABASE factors`.

It takes each batch and then answers with its number; after the batch DIES_AFTER it ends by SIGKILL, committed but unanswered.
With `factors` it posts factors for scarcity, batch after batch until somebody ends it.
"""

import os
import random
import signal
import sys
from contextlib import closing
from dataclasses import replace
from itertools import count

from alliage.fleet.ids import KeyId, ServiceName
from alliage.fleet.usage import UsageRecord
from alliage.ledger.charging import Pricing, charged
from alliage.ledger.scarcity import Factor, factors_of
from alliage.store.sql import open_store
from tests.ledger.builders import NOVEMBER_S, a_price, a_record

BATCH = 25
FACTORS = (
    Factor(service="chat", from_s=NOVEMBER_S - 86400, factor_ppm=1_333_333),
    Factor(service="chat", from_s=NOVEMBER_S + 86400, factor_ppm=2_500_000),
)
PRICING = Pricing([replace(a_price("chat"), scarcity_max_ppm=2_000_000)], factors_of(FACTORS))
"""The list price, a third more, then twice as much."""
FACTORS_A_BATCH = 5


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


def post(place: str) -> None:
    """Batch after batch of factors."""
    with closing(open_store(place)) as store:
        for number in count():
            mine = (Factor(service=f"s{each}", from_s=number, factor_ppm=2_000_000) for each in range(FACTORS_A_BATCH))
            store.books().post_factors(tuple(mine))
            print(number, flush=True)  # noqa: T201  # the answer


if __name__ == "__main__":
    if sys.argv[2] == "factors":
        post(sys.argv[1])
    take(sys.argv[1], *(int(each) for each in sys.argv[2:]))
