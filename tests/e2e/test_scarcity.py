"""A rehearsed fleet that is too small for what is asked: tokens cost more, real processes and a real ledger over it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = pytest.mark.e2e

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
devices = [{ chip = "nvidia-h20", count = 1, speed = 12 }]
"""


@pytest.fixture
def scarce(tmp_path: Path) -> Iterator[Cloud]:
    """One device, and a service that would have a thousand of them."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud() as cloud:
        cloud.up("--fleet", str(file))
        cloud.run("price", "set", "*", "--prompt", "1", "--output", "4", "--scarcity-max", "2.5")
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat", "--rate", "100000")
        yield cloud


def test_a_request_is_charged_by_the_price_under_scarcity(scarce: Cloud) -> None:
    """Told in the price list with why, it is what the next request costs in the ledger, to the micro; a killed control goes on with it."""

    def posted() -> dict[str, Any] | None:
        found = scarce.see("prices")["scarcity"]
        return found[0] if found else None

    told = eventually(posted, what="a price under scarcity")
    assert (told["service"], told["factor_ppm"]) == ("chat", 2_500_000)
    assert told["price"] == {"prompt_micros": 2_500_000, "cached_micros": 2_500_000, "output_micros": 10_000_000}
    assert {each["chip"] for each in told["because"]} == {"nvidia-h20"}
    scarce.kill("control")
    asked: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
    scarce.client().chat.completions.create(**asked)

    def charged() -> dict[str, Any] | None:
        try:
            found = scarce.see("usage", "records")["records"]
        except OSError:
            return None
        return found[0] if found else None

    record = eventually(charged, what="the record")
    assert record["price"] == told["price"]
    list_micros = record["prompt_tokens"] + 4 * record["output_tokens"]
    assert record["scarcity_micros"] == record["charged_micros"] - list_micros > 0
    assert record["charged_micros"] == round(Fraction(5 * list_micros, 2)), "half to even"
    assert scarce.see("prices")["scarcity"] == [told]
