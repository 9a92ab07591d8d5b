"""Charges: by the price at the beginning, rounded half to even once a record, and never stuck on nonsense."""

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.fleet.charges import charge_micros
from alliage.fleet.prices import TokenPrice
from alliage.ledger.charging import TOKENS_MAX, Pricing, charged, spending
from alliage.ledger.pricing import PRICE_MICROS_MAX
from tests.ledger.builders import NOVEMBER_S, a_price, a_record

_TOKENS = st.integers(0, TOKENS_MAX)
_MICROS = st.integers(0, PRICE_MICROS_MAX)


def test_a_record_is_charged_by_the_price_at_its_beginning() -> None:
    """600 prompt tokens at 0.30, 400 cached at 0.06 and 200 output at 1.20 a million; one that began before costs nothing."""
    pricing = Pricing([a_price(from_s=NOVEMBER_S)])
    charge = charged(a_record(), pricing)
    assert charge.micros == 180 + 24 + 240
    before = charged(a_record(began_s=NOVEMBER_S - 0.5, duration_s=10.0), pricing)
    assert (before.micros, before.price) == (0, None)


@pytest.mark.parametrize(("tokens", "micros"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_halves_are_rounded_to_even(tokens: int, micros: int) -> None:
    """At half a micro a token: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, 3.5 -> 4."""
    record = a_record(prompt_tokens=0, cached_tokens=0, output_tokens=tokens)
    assert charged(record, Pricing([a_price(price=TokenPrice(output_micros=500_000))])).micros == micros


@given(
    _TOKENS,
    _TOKENS,
    _TOKENS,
    st.builds(TokenPrice, prompt_micros=_MICROS, cached_micros=_MICROS, output_micros=_MICROS),
)
def test_rounding_is_that_of_decimals(prompt: int, cached: int, output: int, price: TokenPrice) -> None:
    """Whole numbers all the way give what exact decimals give."""
    cached = min(cached, prompt)
    parts = (
        Decimal(prompt - cached) * price.prompt_micros,
        Decimal(cached) * price.cached_micros,
        Decimal(output) * price.output_micros,
    )
    exact = sum(parts, Decimal(0)) / 10**6
    assert charge_micros(price, prompt=prompt, cached=cached, output=output) == exact.quantize(
        Decimal(1), rounding=ROUND_HALF_EVEN
    )


def test_nonsense_is_taken_as_something_that_can_be() -> None:
    """Engines and clients may say anything; a record that could not be kept would keep its journal for ever."""
    wild = a_record(
        request="a\x00b\ud800" + "x" * 600,
        prompt_tokens=-5,
        cached_tokens=10,
        output_tokens=10**30,
        began_s=float("nan"),
        duration_s=float("inf"),
        ttft_s=-1.0,
        status=-7,
    )
    kept = charged(wild, Pricing([a_price()])).record
    assert (kept.prompt_tokens, kept.cached_tokens, kept.output_tokens) == (0, 0, TOKENS_MAX)
    assert (kept.began_s, kept.duration_s, kept.ttft_s, kept.status) == (0.0, 0.0, 0.0, 0)
    assert kept.request == "a?b?" + "x" * 496
    assert charged(a_record(), Pricing([])).record == a_record(), "what can be stays as it was told"


def test_spending_counts_for_tenant_project_and_key() -> None:
    """By the day of the beginning; a record without a project counts for two, a free one for nobody."""
    pricing = Pricing([a_price("chat")])
    records = [a_record("r1"), replace(a_record("r2"), project=""), a_record("r3", service="other")]
    day = 20772
    assert spending(charged(record, pricing) for record in records) == {
        ("tenant:acme", day): 888,
        ("project:acme/search", day): 444,
        ("key:key-1", day): 888,
    }
