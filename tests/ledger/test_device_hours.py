"""Prices of a device-hour: which holds, what cannot be listed, and what device time costs."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput, NotFound
from alliage.ledger.device_hours import (
    MICROS_PER_HOUR_MAX,
    ListedDevice,
    device_dropped,
    device_listed,
    device_time_micros,
)
from alliage.ledger.listing import in_force

CHIP = "nvidia-h20"


def an_entry(micros: int | None, from_s: float, chip: str = CHIP) -> ListedDevice:
    """One entry."""
    return ListedDevice(chip=chip, from_s=from_s, micros_per_hour=micros, who="me", set_s=from_s)


@given(st.integers(0, MICROS_PER_HOUR_MAX), st.integers(0, 10**15))
def test_device_time_is_rounded_once(micros_per_hour: int, device_ms: int) -> None:
    """As an exact fraction, half to even."""
    assert device_time_micros(micros_per_hour, device_ms) == round(Fraction(micros_per_hour * device_ms, 3_600_000))


def test_eight_devices_for_ninety_seconds() -> None:
    """A known sum: 8 x 90 s at 1.35 an hour are 0.27; half a micro goes to the even one."""
    assert device_time_micros(1_350_000, 8 * 90_000) == 270_000
    assert [device_time_micros(micros, 1_800_000) for micros in (1, 3, 5)] == [0, 2, 2]


def test_which_price_holds() -> None:
    """The newest that has begun; what was dropped has none, now and later."""
    entries = [an_entry(1, 10), an_entry(2, 50), an_entry(7, 10, chip="a")]
    assert [in_force(entries, at_s).get(CHIP) for at_s in (9, 10, 60)] == [None, entries[0], entries[1]]
    after = [*entries, *device_dropped(CHIP, entries, who="me", now_s=20)]
    assert [sorted(in_force(after, at_s)) for at_s in (19, 20, 60)] == [["a", CHIP], ["a"], ["a"]]
    with pytest.raises(NotFound, match="'nvidia-h20'") as raised:
        device_dropped(CHIP, after, who="me", now_s=21)
    assert raised.value.remedy == "listed: a"


def test_what_cannot_be_listed() -> None:
    """A price under zero or too high, and one for what was."""
    for micros in (-1, MICROS_PER_HOUR_MAX + 1):
        with pytest.raises(BadInput, match="nvidia-h20 would cost"):
            device_listed(CHIP, micros, from_s=None, who="me", now_s=5.0)
    with pytest.raises(BadInput, match="past"):
        device_listed(CHIP, 1, from_s=4.0, who="me", now_s=5.0)
    assert device_listed(CHIP, 1, from_s=9.0, who="me", now_s=5.0).from_s == 9.0
