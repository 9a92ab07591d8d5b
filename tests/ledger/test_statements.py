"""A total is the sum of its lines, and of nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from alliage.ledger.correcting import Correction
from alliage.ledger.periods import Month
from alliage.ledger.statements import Bill, BillLine, By, Line, Sums, Usage, added

_COUNTS = st.integers(0, 10**12)
_SUMS = st.builds(
    Sums,
    requests=_COUNTS,
    prompt_tokens=_COUNTS,
    cached_tokens=_COUNTS,
    output_tokens=_COUNTS,
    estimated=_COUNTS,
    unpriced=_COUNTS,
    charged_micros=_COUNTS,
    corrected_micros=st.integers(-(10**12), 10**12),
)
_MONTH = Month(year=2026, month=11)


@given(st.lists(_SUMS, max_size=6))
def test_usage_is_the_sum_of_its_lines(parts: list[Sums]) -> None:
    """Field by field, in any order."""
    lines = tuple(Line(name=str(number), sums=part) for number, part in enumerate(parts))
    total = Usage(tenant="", month=_MONTH, by=By.KEY, currency="CNY", lines=lines).total
    assert total == added(reversed(parts))
    assert total.total_micros == sum(part.charged_micros + part.corrected_micros for part in parts)
    assert total.requests == sum(part.requests for part in parts)


@given(st.lists(_SUMS, max_size=4), st.lists(st.integers(-(10**12), 10**12), max_size=4))
def test_a_bill_is_the_sum_of_its_lines_and_corrections(parts: list[Sums], corrections: list[int]) -> None:
    """To the micro."""
    bill = Bill(
        tenant="acme",
        month=_MONTH,
        currency="CNY",
        lines=tuple(BillLine(service="s", model=str(number), sums=part) for number, part in enumerate(parts)),
        corrections=tuple(
            Correction(charge=str(number), micros=micros, reason="r", who="w", made_s=0.0)
            for number, micros in enumerate(corrections)
        ),
    )
    assert bill.total.total_micros == sum(part.total_micros for part in parts) + sum(corrections)
