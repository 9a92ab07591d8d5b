"""Money: every micro is printed and read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput
from alliage.ledger.money import money_text, parse_money


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (12_340_000, "12.34"),
        (-500_000, "-0.50"),
        (10**18, f"{10**12}.00"),
    ],
)
def test_amounts_are_printed_to_the_last_digit(micros: int, text: str) -> None:
    """At least two digits behind the point, and no more than there are."""
    assert money_text(micros) == text


@given(st.integers(-(10**17), 10**17))
def test_what_is_printed_is_read_back(micros: int) -> None:
    """The text is the amount: by our own reading, and by Python's decimals."""
    assert parse_money(money_text(micros), "it") == micros
    assert Decimal(money_text(micros)) * 10**6 == micros


@pytest.mark.parametrize("text", ["", "1.2345678", "1,5", "1e3", "nan", "--1", ".5", "٣", "1" * 13])
def test_what_is_no_money_is_refused(text: str) -> None:
    """With its name and the way out."""
    with pytest.raises(BadInput, match="--to"):
        parse_money(text, "--to")
