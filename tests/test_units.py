"""Sizes and durations as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.errors import BadInput
from alliage.units import GIB, format_bytes, format_count, format_seconds, parse_count, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("1.5s", 1.5), (" 2 m ", 120.0), ("1h", 3600.0), ("20us", 2e-5)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """Number and unit, blanks allowed."""
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "500", "ms", "-1s", "1e3s", "1 day", "nan s"])
def test_what_is_no_duration_is_named(text: str) -> None:
    """The error repeats the text and shows how to write one."""
    with pytest.raises(BadInput, match="500ms"):
        parse_seconds(text)


@pytest.mark.parametrize("text", ["9" * 400 + "h", "1000000001s", "277778h"])
def test_endless_durations_are_refused(text: str) -> None:
    """Nothing beyond 1e9 s, and so never an infinity; a long text is not repeated whole."""
    with pytest.raises(BadInput, match="too long a duration") as refused:
        parse_seconds(text)
    assert len(refused.value.message) < 100
    assert parse_seconds("1000000000s") == 1e9


@given(st.text())
def test_any_text_is_a_duration_or_a_clear_no(text: str) -> None:
    """Never another exception, never a negative duration."""
    seconds = 0.0
    with contextlib.suppress(BadInput):
        seconds = parse_seconds(text)
    assert seconds >= 0


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (98_362_432, "93.8 MiB"), (3 * GIB, "3 GiB"), (1 << 60, "1.05e+06 TiB")],
)
def test_bytes_are_written_in_binary_units(count: int, text: str) -> None:
    """Three digits."""
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500 ms"), (2.0, "2 s"), (90.0, "1.5 min"), (7200.0, "2 h"), (0.0001, "0.1 ms")]
)
def test_seconds_are_written_with_the_unit_that_fits(seconds: float, text: str) -> None:
    """Three digits."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("600", 600), ("1M", 10**6), (" 1.5k ", 1500), ("32Ki", 32_768), ("0.5Mi", 2**19), ("2G", 2 * 10**9), ("0", 0)],
)
def test_counts_are_read(text: str, count: int) -> None:
    """Thousands and millions, and their neighbours of 1024."""
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "1.5", "0.0001k", "-1", "1e3", "1 k k", "k", "1K", "nan", "9" * 400])
def test_what_is_no_count_is_named(text: str) -> None:
    """The error repeats the text, a long one not whole, and shows how to write one."""
    with pytest.raises(BadInput, match="is no whole number") as refused:
        parse_count(text)
    assert "32Ki" in refused.value.remedy
    assert len(refused.value.message) < 100


@given(st.integers(0, 10**12))
def test_a_count_is_read_as_it_was_written(count: int) -> None:
    """Exactly."""
    assert parse_count(format_count(count)) == count
