"""Figures as tools print them: units, gaps, and the many ways of saying nothing."""

import pytest

from alliage.runtimes.detection.figures import (
    free_of,
    number,
    pci_address,
    size_bytes,
    used_and_limit,
    used_and_total,
    whole,
    word,
)
from alliage.units import GIB, MIB


@pytest.mark.parametrize(
    "text", ["", " ", "-", "N/A", "[N/A]", "NA", "n/a", "/", "[Not Supported]", "[Unknown Error]", None]
)
def test_nothing_is_none_in_every_form(text: str | None) -> None:
    """Never a zero."""
    assert word(text) is None
    assert number(text) is None
    assert size_bytes(text) is None
    assert used_and_total(text) == (None, None)
    assert used_and_limit(text) == (None, None)
    assert whole(text) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("98304MiB", 98304 * MIB),
        ("98304 MiB", 98304 * MIB),
        ("96 GB", 96 * GIB),
        ("32768", 32768 * MIB),
        ("24480.50 MiB", int(24480.5 * MIB)),
        ("0", 0),
        ("lots", None),
        ("12 parsecs", None),
        ("9" * 40, None),
        ("999999999999 TB", None),
        ("-5 MiB", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    """With and without unit; absurd ones are not told."""
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "used", "total"),
    [
        ("49MiB / 98304MiB", 49, 98304),
        ("858/65536 MiB", 858, 65536),
        ("2922 / 32768", 2922, 32768),
        ("0MiB(81920MiB)", 0, 81920),
        ("0 / 0", None, None),
        ("1 / 2 / 3", None, None),
    ],
)
def test_used_of_total(text: str, used: int | None, total: int | None) -> None:
    """Bytes; a total of 0 is a column that the card does not use."""
    assert used_and_total(text) == (
        used * MIB if used is not None else None,
        total * MIB if total is not None else None,
    )


def test_what_is_free() -> None:
    """Never below nothing, and unknown when one side is."""
    assert free_of(1, 3) == 2
    assert free_of(5, 3) == 0
    assert free_of(None, 3) is None


@pytest.mark.parametrize(
    ("text", "watts"),
    [("74W / 400W", (74, 400)), ("106 W/ 250 W", (106, 250)), ("N/A / 350W", (None, 350)), ("49 W", (49, None))],
)
def test_power_and_its_limit(text: str, watts: tuple[float | None, float | None]) -> None:
    """Each may be missing."""
    assert used_and_limit(text) == watts


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("00000000:7E:00.0", "0000:7e:00.0"),
        ("0000:41:00.0", "0000:41:00.0"),
        ("00:09:00.0", "0000:09:00.0"),
        ("00:1e.0", "0000:00:1e.0"),
        ("00010000:03:00.0 Off", "10000:03:00.0"),
        ("nowhere", None),
    ],
)
def test_addresses_as_sysfs_writes_them(text: str, address: str | None) -> None:
    """Long and short domains, upper case, other words behind."""
    assert pci_address(text) == address


def test_whole_numbers_are_indices() -> None:
    """A hash before is taken off; anything else is none."""
    assert whole(" 5 ") == 5
    assert whole("#0") == 0
    assert whole("1.5") is None
    assert whole("٣") is None
    assert whole("9" * 20) is None
