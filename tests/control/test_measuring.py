"""Figures that are told to control: what they become, and which are refused."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.control.measuring import COUNTS_MAX, FIGURES_MAX, MeasureOrder, check_figures, measured_by
from alliage.errors import BadInput, NotFound
from alliage.fleet.measured import recipe_key
from tests.builders import a_node, a_replica
from tests.control.world import World

ORDER = MeasureOrder(
    replica="tiny-000001",
    concurrency=4,
    input_tokens=128,
    output_tokens=64,
    throughput_tps=32.0,
    decode_tps=40.0,
    ttft_s=0.5,
    tpot_s=0.1,
    requests=10,
    duration_s=20.0,
)


def test_the_replica_says_what_was_measured() -> None:
    """Chip, engine, its version, precision, cores and slots are control's own knowledge; the figures are the caller's."""
    found = measured_by(ORDER, a_replica(), a_node(), now_s=7.0)
    assert found.key == recipe_key(a_replica().recipe)
    assert (found.at_s, found.node, found.engine_version, found.slots) == (7.0, "laptop", "1", 4)
    assert (found.throughput_tps, found.requests, found.concurrency) == (32.0, 10, 4)
    assert measured_by(ORDER, a_replica(), None, now_s=7.0).engine_version == ""


@pytest.mark.parametrize("field", [*COUNTS_MAX, *FIGURES_MAX])
@given(data=st.data())
def test_what_cannot_be_is_refused_by_name(field: str, data: st.DataObject) -> None:
    """Nothing, less than nothing, not a number, without end, or more than any replica does."""
    bad = data.draw(
        st.sampled_from([0, -1, 10**12])
        if field in COUNTS_MAX
        else st.one_of(st.floats(max_value=0.0), st.just(float("nan")), st.just(float("inf")), st.just(1e12))
    )
    change: dict[str, Any] = {field: bad}
    with pytest.raises(BadInput, match=field):
        check_figures(replace(ORDER, **change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"throughput_tps": 64.0}, "throughput_tps x duration_s is 1280 tokens, requests x output_tokens 640"),
        ({"output_tokens": 1}, "output_tokens is 1"),
        ({"ttft_s": 21.0}, "longer than duration_s"),
    ],
)
def test_figures_must_go_together(change: dict[str, Any], said: str) -> None:
    """Tokens that do not add up, answers without a time between tokens, a first token after the end."""
    with pytest.raises(BadInput, match=said):
        check_figures(replace(ORDER, **change))


def test_more_than_a_request_may_hold_is_refused() -> None:
    """4096 tokens are the recipe's; nobody measured 5000 of it."""
    long = replace(ORDER, input_tokens=5000)
    with pytest.raises(BadInput, match=r"more than the 4096 .* tiny-000001"):
        measured_by(long, a_replica(), a_node(), now_s=0.0)


def test_the_desk_keeps_them_and_says_so() -> None:
    """Recorded of a replica of the service, told in its history, the version unmoved; another's replica is not found."""
    world = World(a_node())
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    view = world.desk.view()
    (replica,) = view.replicas
    made = world.desk.record_measured("tiny", replace(ORDER, replica=replica.id))
    assert world.desk.measured() == (made,)
    assert world.desk.view().version == view.version
    assert "measured 32 tokens/s at 4 at once" in world.desk.history("tiny", 1)[0].what
    with pytest.raises(NotFound, match="no replica 'other-1'"):
        world.desk.record_measured("tiny", replace(ORDER, replica="other-1"))
    with pytest.raises(NotFound, match="no service 'nobody'"):
        world.desk.record_measured("nobody", ORDER)
