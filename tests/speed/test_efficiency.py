"""Coefficients: look-up with defaults, and wrong files."""

import pytest

from alliage.errors import BadInput
from alliage.speed.efficiency import BASES, SHARE_MAX, committed, efficiency, parse_coefficients
from alliage.speed.serving import parse_servings, serving_of


def _text(**changed: str) -> str:
    base = "\n".join(f"{name} = {changed.get(name, '0.5')}" for name in BASES)
    return (
        'fitted_on = "2026-01-01"\nsource = "a test"\nsource_sha256 = ""\nrows = 1\nchips = ["acme-one"]\n'
        f"[base]\n{base}\n[bandwidth_gbs]\nacme-two = 100\n"
        "[multipliers.fixed.engine]\nslow = 3\n[multipliers.bandwidth.engine]\nslow = 10\n"
    )


def test_an_unseen_level_multiplies_by_one() -> None:
    """The base alone answers for an engine that nobody measured."""
    known = efficiency(parse_coefficients(_text()), {"engine": "new"})
    assert known.step_s == pytest.approx(0.5)
    assert known.bandwidth == pytest.approx(0.5)


def test_an_engine_changes_all_its_fixed_costs_and_no_share_passes_its_cap() -> None:
    """`fixed` multiplies seconds a step and a layer; 0.5 x 10 of the bandwidth is cut."""
    slow = efficiency(parse_coefficients(_text()), {"engine": "slow"})
    assert slow.step_s == pytest.approx(1.5)
    assert slow.layer_s == pytest.approx(1.5)
    assert slow.request_s == pytest.approx(0.5)
    assert slow.bandwidth == SHARE_MAX


@pytest.mark.parametrize("value", ["0", "-1", '"fast"', "1e15", "nan"])
def test_a_wrong_value_is_named(value: str) -> None:
    """The field, the value and the way out."""
    with pytest.raises(BadInput, match=r"base\.compute.*python -m bench\.speed\.fit"):
        parse_coefficients(_text(compute=value))


def test_a_table_that_multiplies_nothing_is_refused() -> None:
    """A typing mistake in a table's name is not ignored."""
    with pytest.raises(BadInput, match="width"):
        parse_coefficients(_text() + "[multipliers.width.engine]\nx = 2\n")


def test_committed_coefficients_say_where_they_come_from() -> None:
    """Date, source and the hash of the file they were fitted on, and how many rows."""
    known = committed()
    assert known.rows > 500
    assert len(known.source_sha256) == 64
    assert known.fitted_on.startswith("20")
    assert 0.3 < known.base["bandwidth"] < 0.95


def test_servings() -> None:
    """An engine without an entry has the default; a share above 1 is refused."""
    assert serving_of("nobody-knows-it") == serving_of("default")
    assert serving_of("vllm").memory_share == pytest.approx(0.9)
    with pytest.raises(BadInput, match="memory_share 2"):
        parse_servings("[a]\nmemory_share = 2.0\nslots = 1\nstep_tokens = 1\n")
