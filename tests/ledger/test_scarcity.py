"""Factors for scarcity: what they are made of, when one follows another, and what they make of prices and charges."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput
from alliage.fleet.prices import TokenPrice
from alliage.ledger.charging import Pricing, charged
from alliage.ledger.money import divided
from alliage.ledger.pricing import listed
from alliage.ledger.scarcity import (
    FACTOR_PPM_MAX,
    LIST_PPM,
    POSTED_EVERY_S,
    Devices,
    Factor,
    Factors,
    bounded,
    factor_of,
    factors_of,
    next_factor,
    scaled,
)
from tests.ledger.builders import NOVEMBER_S, PRICE, a_price, a_record

_AMOUNTS = st.integers(0, 10**12)


def some_devices(list_micros: int, price_micros: int, count: int = 1) -> Devices:
    """Of one chip at one site."""
    return Devices(chip="nvidia-h20", site="north", count=count, list_micros=list_micros, price_micros=price_micros)


def a_factor(factor_ppm: int, from_s: float = 0.0, service: str = "chat") -> Factor:
    """An entry."""
    return Factor(service=service, from_s=from_s, factor_ppm=factor_ppm)


@given(st.integers(0, 10**24), st.integers(1, 10**15))
def test_division_rounds_half_to_even(whole: int, by: int) -> None:
    """As exact fractions do, at any size."""
    assert divided(whole, by) == round(Fraction(whole, by))


@given(st.lists(st.tuples(_AMOUNTS, _AMOUNTS, st.integers(1, 10**6)), max_size=5))
def test_the_factor_is_what_devices_cost_over_what_they_cost_by_the_list(made: list[tuple[int, int, int]]) -> None:
    """All its devices together; what has no list price says nothing, and nobody is cheaper than the list."""
    devices = [some_devices(listed_, listed_ + more, count) for listed_, more, count in made]
    cost = sum(each.count * each.list_micros for each in devices)
    scarce = sum(each.count * each.price_micros for each in devices if each.list_micros)
    assert factor_of(devices) == (round(Fraction(scarce * LIST_PPM, cost)) if cost else LIST_PPM) >= LIST_PPM


@given(_AMOUNTS, _AMOUNTS, _AMOUNTS, st.integers(0, 10**9), st.integers(LIST_PPM, FACTOR_PPM_MAX))
def test_a_price_is_between_the_list_price_and_the_most(
    prompt: int, cached: int, output: int, factor_ppm: int, max_ppm: int
) -> None:
    """Whatever the plan says; each part is rounded half to even once."""
    price = TokenPrice(prompt_micros=prompt, cached_micros=cached, output_micros=output)
    used = bounded(factor_ppm, max_ppm)
    found = scaled(price, used)
    for name in ("prompt_micros", "cached_micros", "output_micros"):
        before, after = getattr(price, name), getattr(found, name)
        assert before <= after <= divided(before * max_ppm, LIST_PPM)
        assert after == round(Fraction(before * used, LIST_PPM))
    assert bounded(factor_ppm, None) == LIST_PPM
    assert scaled(price, LIST_PPM) == price


def test_the_entry_that_holds_is_the_newest_that_has_begun() -> None:
    """Also where they were added in another order, as after a clock was set back; of two from one instant on the later one."""
    added = [a_factor(2_000_000, 10), a_factor(3_000_000, 30), a_factor(4_000_000, 20), a_factor(5_000_000, 30)]
    at_once, one_by_one = factors_of(added), Factors()
    for each in added:
        one_by_one = one_by_one.with_more([each])
    assert at_once == one_by_one
    found = [at_once.at("chat", at_s) for at_s in (9.9, 10, 20, 29, 30, 1e9)]
    assert [each and each.factor_ppm for each in found] == [
        None,
        2_000_000,
        4_000_000,
        4_000_000,
        5_000_000,
        5_000_000,
    ]
    assert at_once.at("other", 50) is None
    assert list(at_once.in_force(15)) == ["chat"]
    assert at_once.with_more([a_factor(LIST_PPM, 40)]).in_force(50) == {}


@pytest.mark.parametrize(
    ("now_ppm", "wanted_ppm", "since_s", "is_posted"),
    [
        (None, LIST_PPM, 0, False),
        (None, 1_400_000, 0, True),
        (None, 1_050_000, 0, False),
        (None, 1_050_001, 0, True),
        (1_400_000, 2_000_000, POSTED_EVERY_S - 1, False),
        (1_400_000, 2_000_000, POSTED_EVERY_S, True),
        (1_400_000, 1_470_000, POSTED_EVERY_S, False),
        (1_400_000, 1_330_000, POSTED_EVERY_S, False),
        (1_400_000, 1_329_999, POSTED_EVERY_S, True),
        (1_040_000, LIST_PPM, POSTED_EVERY_S, True),
        (1_400_000, LIST_PPM, 1, True),
        (LIST_PPM, 1_400_000, POSTED_EVERY_S - 1, False),
        (LIST_PPM, 1_400_000, -5, True),
    ],
)
def test_when_a_factor_changes(now_ppm: int | None, wanted_ppm: int, since_s: float, *, is_posted: bool) -> None:
    """At most once in ten minutes and by over 5 %; but the list price comes back at once, however little it was over it."""
    before = None if now_ppm is None else a_factor(now_ppm, 1000.0)
    wanted = a_factor(wanted_ppm, 1000.0 + since_s)
    assert next_factor(before, before, wanted) == (wanted if is_posted else None)


def test_a_charge_is_by_the_factor_at_its_beginning_and_tells_its_share() -> None:
    """Before, within and after; the price that is kept with it is the one that was multiplied, and the shares add up."""
    prices = [listed("chat", PRICE, from_s=None, who="admin", now_s=0.0, scarcity_max_ppm=2_000_000)]
    factors = factors_of([a_factor(1_400_000, NOVEMBER_S + 10), a_factor(LIST_PPM, NOVEMBER_S + 20)])
    pricing = Pricing(prices, factors)
    found = [charged(a_record(began_s=NOVEMBER_S + at_s), pricing) for at_s in (9, 10, 19.9, 20)]
    assert [each.micros for each in found] == [444, 622, 622, 444]
    assert [each.scarcity_micros for each in found] == [0, 178, 178, 0]
    assert found[1].price == TokenPrice(prompt_micros=420_000, cached_micros=84_000, output_micros=1_680_000)


def test_only_what_an_admin_let_be_scarce_is() -> None:
    """Without a most the list price stays; with a lower one it is bounded at once, whatever was posted."""
    factors = factors_of([a_factor(1_900_000)])
    record = a_record()
    for max_ppm, factor_ppm in ((None, LIST_PPM), (1_500_000, 1_500_000), (3_000_000, 1_900_000)):
        entry = listed("*", PRICE, from_s=None, who="admin", now_s=0.0, scarcity_max_ppm=max_ppm)
        assert charged(record, Pricing([entry], factors)).price == scaled(PRICE, factor_ppm)
    assert charged(record, Pricing([a_price("other")], factors)).price is None


@pytest.mark.parametrize("max_ppm", [0, LIST_PPM - 1, FACTOR_PPM_MAX + 1])
def test_the_most_has_bounds(max_ppm: int) -> None:
    """It is no discount, and overflows no column."""
    with pytest.raises(BadInput, match="millionths"):
        listed("a", PRICE, from_s=None, who="me", now_s=5.0, scarcity_max_ppm=max_ppm)
