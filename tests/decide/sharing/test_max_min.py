"""Max-min over many jobs: levels by hand, against HiGHS, and the proof that comes with every answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.sharing.max_min import level_jobs
from alliage.errors import BadInput
from bench.decide.many_jobs import draw_crowd, solve_max_min


def test_two_jobs_on_one_device_have_half_each() -> None:
    """The level is one half, a second device would double it: its price is what one more is worth at the margin."""
    answer = level_jobs(np.array([[1.0], [1.0]]), np.array([1, 1]), np.array([1]), compiled=False)
    assert answer.least == pytest.approx(0.5, rel=1e-3)
    assert answer.prices.tolist() == pytest.approx([0.5], rel=1e-2)


def test_a_job_of_twice_the_weight_gets_twice_as_much() -> None:
    """Rates are divided by weights: levels 1 and 2 on one device are a third and two thirds of it."""
    answer = level_jobs(np.array([[1.0], [0.5]]), np.array([1, 1]), np.array([1]), compiled=False)
    assert answer.shares[:, 0].tolist() == pytest.approx([1 / 3, 2 / 3], rel=1e-3)


@given(seed=st.integers(0, 2**32 - 1), jobs=st.integers(2, 30), kinds=st.integers(1, 5))
def test_the_answer_is_feasible_and_its_bound_true(seed: int, jobs: int, kinds: int) -> None:
    """Time and devices are not overdrawn, everyone has the level, and HiGHS finds no more than the bound."""
    drawn = draw_crowd(jobs, kinds, seed)
    crowd = replace(drawn, devices=np.maximum(drawn.devices, 1))
    answer = level_jobs(crowd.rates, crowd.gangs, crowd.devices, compiled=False)
    assert (answer.shares.sum(axis=1) <= 1.0 + 1e-9).all()
    assert ((crowd.gangs[:, np.newaxis] * answer.shares).sum(axis=0) <= crowd.devices + 1e-6).all()
    assert ((crowd.rates * answer.shares).sum(axis=1) >= answer.least - 1e-12).all()
    assert solve_max_min(crowd).objective <= answer.bound + 1e-4
    assert answer.gap <= 2e-4


def test_without_devices_the_level_is_nothing() -> None:
    """No devices at all: level 0, and a bound that says so; and it ends."""
    answer = level_jobs(np.array([[1.0], [2.0]]), np.array([1, 1]), np.array([0]), compiled=False)
    assert answer.least == 0.0
    assert answer.bound <= 1e-9


def test_compiled_and_plain_give_the_same_bytes() -> None:
    """Numba changes the time, not the answer."""
    crowd = draw_crowd(80, 4, 7)
    plain = level_jobs(crowd.rates, crowd.gangs, crowd.devices, compiled=False)
    fast = level_jobs(crowd.rates, crowd.gangs, crowd.devices)
    assert plain.shares.tobytes() == fast.shares.tobytes()
    assert (plain.least, plain.bound) == (fast.least, fast.bound)


def test_cut_short_it_says_how_far_it_came() -> None:
    """Two passes: an answer that is true, and a gap that is not closed."""
    crowd = draw_crowd(60, 4, 7)
    answer = level_jobs(crowd.rates, crowd.gangs, crowd.devices, passes=2, compiled=False)
    assert answer.passes == 2
    assert answer.gap > 1e-4
    assert answer.least <= level_jobs(crowd.rates, crowd.gangs, crowd.devices, compiled=False).bound


@pytest.mark.parametrize("rates", [[[0.0]], [[-1.0]], [[np.nan]]])
def test_a_job_without_a_rate_is_refused(rates: list[list[float]]) -> None:
    """A level for all does not exist where one runs nowhere."""
    with pytest.raises(BadInput, match="no kind"):
        level_jobs(np.array(rates), np.array([1]), np.array([1]))
