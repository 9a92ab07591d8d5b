"""Corrections are counter-entries: after any number of them a record costs what the last one said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput, Conflict
from alliage.ledger.charging import Charge, Pricing, charged
from alliage.ledger.correcting import Correction, counter_entry, net_micros
from tests.ledger.builders import a_price, a_record


def _charge() -> Charge:
    return charged(a_record(), Pricing([a_price()]))


def _corrected(charge: Charge, before: list[Correction], to_micros: int, reason: str = "garbled") -> Correction:
    return counter_entry(charge, before, to_micros=to_micros, reason=reason, who="ann", now_s=7.0)


def test_a_correction_is_the_difference() -> None:
    """It names the record, the reason, who and when; the charge is as it was."""
    charge = _charge()
    made = _corrected(charge, [], 0)
    assert made == Correction(charge="r1", micros=-444, reason="garbled", who="ann", made_s=7.0)
    assert charge.micros == 444


@given(st.lists(st.integers(0, 10**12), max_size=8))
def test_the_last_word_counts(words: list[int]) -> None:
    """Whatever was corrected before, nothing is taken out, and the sum of all entries is the last word."""
    charge, entries = _charge(), list[Correction]()
    for word in words:
        if word == net_micros(charge, entries):
            with pytest.raises(Conflict, match="already"):
                _corrected(charge, entries, word)
        else:
            entries.append(_corrected(charge, entries, word))
        assert net_micros(charge, entries) == word


@pytest.mark.parametrize(
    ("to_micros", "reason"), [(-1, "why"), (10**18 + 1, "why"), (0, ""), (0, "  "), (0, "a\nb"), (0, "x" * 501)]
)
def test_what_cannot_be_is_refused(to_micros: int, reason: str) -> None:
    """Nobody is paid for a request, and each entry has a reason that fits on a line."""
    with pytest.raises(BadInput):
        _corrected(_charge(), [], to_micros, reason)
