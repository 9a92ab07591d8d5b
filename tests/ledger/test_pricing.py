"""Price lists: which entry holds, from when, and what cannot be listed."""

from dataclasses import replace

import pytest

from alliage.errors import BadInput, NotFound
from alliage.fleet.prices import TokenPrice
from alliage.ledger.charging import Pricing
from alliage.ledger.listing import in_force
from alliage.ledger.pricing import PRICE_MICROS_MAX, ListedPrice, dropped, entry_for, listed
from tests.ledger.builders import PRICE, a_price


def _of(micros: int) -> TokenPrice:
    return TokenPrice(output_micros=micros)


def price_for(entries: list[ListedPrice], *, service: str, model: str) -> TokenPrice | None:
    """The price of the entry that is for a service."""
    found = entry_for(entries, service=service, model=model)
    return None if found is None else found.price


def test_the_closest_name_wins() -> None:
    """A whole name before a pattern, a longer pattern before a shorter one, a service before its model."""
    entries = [a_price("*", _of(1)), a_price("qwen*", _of(2)), a_price("qwen3-*", _of(3)), a_price("qwen3-8b", _of(4))]
    assert price_for(entries, service="chat", model="llama") == _of(1)
    assert price_for(entries, service="chat", model="qwen2") == _of(2)
    assert price_for(entries, service="chat", model="qwen3-32b") == _of(3)
    assert price_for(entries, service="chat", model="qwen3-8b") == _of(4)
    by_service = [*entries, a_price("chat", _of(5)), a_price("qwen3-88", _of(6))]
    assert price_for(by_service, service="chat", model="qwen3-8b") == _of(4), "the longer of two whole names"
    assert price_for(by_service, service="chat", model="m") == _of(5)
    assert price_for([a_price("abcd", _of(1)), a_price("efgh", _of(2))], service="efgh", model="abcd") == _of(2)
    assert price_for([a_price("a.c", _of(1))], service="abc", model="") is None, "a dot is a dot"
    assert price_for([], service="chat", model="m") is None


def test_a_price_holds_from_when_it_was_set_on() -> None:
    """Of a pattern's entries the newest that has begun holds; a dropped one leaves the wider pattern."""
    pricing = Pricing(
        [
            a_price("*", _of(9), from_s=10),
            a_price("chat", _of(1), from_s=100),
            a_price("chat", _of(2), from_s=200),
            a_price("chat", None, from_s=300),
        ]
    )
    seen = [
        pricing.price(service="chat", model="m", at_s=at_s) for at_s in (9.9, 10, 99, 100, 199.9, 200, 299, 300, 1e9)
    ]
    assert seen == [None, _of(9), _of(9), _of(1), _of(1), _of(2), _of(2), _of(9), _of(9)]


def test_an_entry_that_was_set_later_counts_at_the_same_time() -> None:
    """Two entries from the same second on: the one that was set later; one to come holds when it comes, whatever was set before it."""
    entries = [a_price("a", _of(1), from_s=50), a_price("a", _of(2), from_s=50), a_price("a", _of(3), from_s=20)]
    assert in_force(entries, 30)["a"].price == _of(3)
    assert in_force(entries, 60)["a"].price == _of(2)


def test_setting_is_from_now_on_or_later() -> None:
    """Never for what may have been charged already."""
    assert listed("a", PRICE, from_s=None, who="me", now_s=5.0) == replace(
        a_price("a", who="me"), from_s=5.0, set_s=5.0
    )
    assert listed("a", PRICE, from_s=9.0, who="me", now_s=5.0).from_s == 9.0
    with pytest.raises(BadInput, match="past"):
        listed("a", PRICE, from_s=4.0, who="me", now_s=5.0)
    for never in (float("nan"), float("inf")):
        with pytest.raises(BadInput, match="seconds since 1970"):
            listed("a", PRICE, from_s=never, who="me", now_s=5.0)


@pytest.mark.parametrize("pattern", ["", " a", "a b", "a\n", "*a*a*a*", "x" * 201, "ä"])
def test_what_can_be_no_name_is_refused(pattern: str) -> None:
    """A typo is told, not kept."""
    with pytest.raises(BadInput, match="no name"):
        listed(pattern, PRICE, from_s=None, who="me", now_s=5.0)


@pytest.mark.parametrize("micros", [-1, PRICE_MICROS_MAX + 1])
def test_a_price_has_bounds(micros: int) -> None:
    """None is below zero, and none overflows a column."""
    with pytest.raises(BadInput, match="cached_micros"):
        listed("a", TokenPrice(cached_micros=micros), from_s=None, who="me", now_s=5.0)


def test_dropping_ends_what_is_and_what_was_to_come() -> None:
    """After it the pattern has no price at any time; what it had before stays known."""
    entries = [a_price("a", from_s=1), a_price("a", from_s=50), a_price("b", from_s=1)]
    after = [*entries, *dropped("a", entries, who="me", now_s=10)]
    assert [sorted(in_force(after, at_s)) for at_s in (9, 10, 60)] == [["a", "b"], ["b"], ["b"]]
    with pytest.raises(NotFound, match="'a'") as raised:
        dropped("a", after, who="me", now_s=11)
    assert raised.value.remedy == "listed: b"
