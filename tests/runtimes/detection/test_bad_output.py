"""Whatever a tool prints, its parser answers soon and never raises."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.runtimes.detection.boxed import TEXT_CHARS_MAX, rows
from alliage.runtimes.detection.libraries import MARK, parse_library
from alliage.runtimes.detection.seen import SeenDevice
from tests.runtimes.detection.tables import ENFLAME, HYGON, PPU
from tests.runtimes.detection.test_tools import PARSERS

_ALL = [*{parse for parse, _ in PARSERS}, parse_library]
_PIECES = st.sampled_from(
    ["|", "+", "-" * 5, "=" * 5, "\n", " ", "  ", "Name", "GPU", "NPU", "BDF", "GPU-Name", "HCU", "Temp", "Memory-Usage", "N/A",
     "0", "7", "99999999999999999999", "MiB", "/", "index", ",", '"', "{", "}", "[", "]", ":", "Process name", MARK, "card0", "\x00"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=120).map("".join)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Plain text, and shuffled pieces of tables: always a tuple of devices."""
    for parse in _ALL:
        assert all(isinstance(device, SeenDevice) for device in parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "-" * 1_000_000 + "x",
        "| " * 500_000,
        "|" + " " * 1_000_000 + "|\n",
        "| 0 / " * 200_000,
        "[" * 1_000_000,
        '{"a":' * 100_000,
        "Driver " * 150_000,
        "CUDA Version: " * 80_000,
        "\n" * 1_000_000,
        "9" * 1_000_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_megabytes_are_read_in_linear_time(text: str) -> None:
    """Every parser has done with a megabyte within a test's time; a quadratic one would take hours."""
    for parse in _ALL:
        assert parse(text) == ()


def test_more_than_the_limit_is_cut() -> None:
    """Rows beyond it are not looked at."""
    text = PPU + "\n" * TEXT_CHARS_MAX + PPU
    assert len(list(rows(text))) == 1


def test_another_versions_table_with_a_header_that_nobody_knows_tells_what_it_can() -> None:
    """A renamed column is not told; the others are."""
    parse: Callable[[str], tuple[SeenDevice, ...]] = PARSERS[0][0]
    (device,) = parse(PPU.replace("Memory-Usage", "HBM in use "))
    assert device.memory_total_bytes is None
    assert device.temperature_c == 55


def test_a_row_that_is_not_like_its_header_is_left_out() -> None:
    """Fewer columns than labels in Hygon's table, a half device in a boxed one."""
    parse = dict((text, parse) for parse, text in PARSERS)  # noqa: C402 - keyed the other way
    assert len(parse[HYGON](HYGON.replace("   7.0%      Normal", ""))) == 1
    assert parse[ENFLAME]("\n".join(ENFLAME.splitlines()[:-2])) == ()


def test_a_librarys_answer_is_the_marked_line_only() -> None:
    """What it prints before and after does not matter; a line that is no list of devices is nothing."""
    assert parse_library(f'\x1b[0mhello\n{MARK}[{{"name": "X", "index": 0}}]\nbye\n') == (
        SeenDevice(name="X", index=0),
    )
    assert parse_library(f'{MARK}{{"name": "X"}}') == ()
    assert parse_library(f'{MARK}[{{"colour": "red"}}]') == ()
    assert parse_library('[{"name": "X"}]') == ()
