"""Usage records and prices with every field filled, so that a test names only what it is about."""

from dataclasses import replace
from typing import Any

from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.prices import TokenPrice
from alliage.fleet.usage import Ending, Origin, UsageRecord
from alliage.ledger.pricing import ListedPrice

NOVEMBER_S = 1_793_491_200.0
"""2026-11-01 00:00:00 UTC."""
DECEMBER_S = 1_796_083_200.0
PRICE = TokenPrice(prompt_micros=300_000, cached_micros=60_000, output_micros=1_200_000)


def a_record(record: str = "r1", **more: Any) -> UsageRecord:
    """A finished chat of tenant `acme` in the middle of November 2026."""
    made = UsageRecord(
        id=record,
        request=f"req-{record}",
        tenant="acme",
        project="search",
        key=KeyId("key-1"),
        service=ServiceName("chat"),
        endpoint="/v1/chat/completions",
        replica=ReplicaId("chat-00a1b2"),
        origin=Origin(model="qwen3-8b", recipe="vllm bf16 tp1", engine="vllm", chip="nvidia-h20", site="hall"),
        is_rehearsed=False,
        began_s=NOVEMBER_S + 14 * 86400 + 0.25,
        duration_s=2.5,
        ttft_s=0.125,
        tpot_s=0.03125,
        prompt_tokens=1000,
        cached_tokens=400,
        output_tokens=200,
        status=200,
        ending=Ending.FINISHED,
        is_continued=False,
        is_estimated=False,
    )
    return replace(made, **more)


def a_price(
    pattern: str = "*", price: TokenPrice | None = PRICE, *, from_s: float = 0.0, who: str = "admin"
) -> ListedPrice:
    """An entry of the price list."""
    return ListedPrice(pattern=pattern, from_s=from_s, price=price, who=who, set_s=from_s)
