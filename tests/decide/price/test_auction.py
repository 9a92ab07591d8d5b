"""The auction: prices by hand, its bound against every assignment there is, and the same answers compiled or not."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from alliage.decide.price.auction import find_prices
from alliage.errors import BadInput

Drawn = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def draw(seed: int, jobs: int, kinds: int) -> Drawn:
    """Values, gangs and devices, from a seed."""
    draws = np.random.default_rng(seed)
    gangs = draws.choice(np.array([1, 2, 4]), size=jobs).astype(np.int64)
    values = draws.uniform(0.1, 5.0, (jobs, kinds)) * gangs[:, np.newaxis]
    values[draws.random(values.shape) < 0.2] = 0.0
    return values, gangs, draws.integers(0, 6, kinds)


def best_value(values: NDArray[np.float64], gangs: NDArray[np.int64], devices: NDArray[np.int64]) -> float:
    """The best assignment, by trying all."""
    best = 0.0
    for places in product(range(-1, len(devices)), repeat=len(gangs)):
        used = [sum(int(gangs[job]) for job, at in enumerate(places) if at == kind) for kind in range(len(devices))]
        if all(use <= there for use, there in zip(used, devices, strict=True)):
            best = max(best, sum(values[job, at] for job, at in enumerate(places) if at >= 0))
    return best


def test_one_device_and_two_jobs_cost_midway_between_their_bids() -> None:
    """Jobs worth 10 and 4 want one device: any price between keeps the first and turns the second away; 7 is midway."""
    prices = find_prices(
        values=np.array([[10.0], [4.0]]), gangs=np.array([1, 1]), devices=np.array([1]), compiled=False
    )
    assert prices.by_kind.tolist() == [7.0]
    assert prices.bound == 10.0


def test_what_is_not_scarce_costs_nothing() -> None:
    """Two devices for two jobs: no price, and the bound is what both are worth."""
    prices = find_prices(
        values=np.array([[10.0], [4.0]]), gangs=np.array([1, 1]), devices=np.array([2]), compiled=False
    )
    assert prices.by_kind.tolist() == [0.0]
    assert prices.bound == 14.0


def test_a_better_kind_costs_what_it_is_better_by() -> None:
    """Both jobs would rather have the fast device, one gains 6 by it and one 2: the fast one costs between 2 and 6 more."""
    prices = find_prices(
        values=np.array([[10.0, 4.0], [6.0, 4.0]]), gangs=np.array([1, 1]), devices=np.array([1, 1]), compiled=False
    )
    assert 2.0 <= prices.by_kind[0] - prices.by_kind[1] <= 6.0
    assert prices.bound == pytest.approx(14.0)


@given(seed=st.integers(0, 2**32 - 1), jobs=st.integers(1, 5), kinds=st.integers(1, 3))
def test_no_assignment_is_worth_more_than_the_bound(seed: int, jobs: int, kinds: int) -> None:
    """The certificate is true: every assignment of whole gangs is worth at most D(p)."""
    values, gangs, devices = draw(seed, jobs, kinds)
    prices = find_prices(values=values, gangs=gangs, devices=devices, compiled=False)
    assert best_value(values, gangs, devices) <= prices.bound * (1 + 1e-12)


@given(seed=st.integers(0, 2**32 - 1))
def test_single_devices_are_priced_at_the_optimum(seed: int) -> None:
    """Where all gangs are 1 the bound is tight: within 1 % of the best assignment."""
    values, _, devices = draw(seed, 5, 3)
    ones = np.ones(5, dtype=np.int64)
    prices = find_prices(values=values, gangs=ones, devices=devices, compiled=False)
    assert prices.bound <= best_value(values, ones, devices) * 1.01 + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_compiled_and_plain_give_the_same_bytes(seed: int) -> None:
    """Numba changes the time, not the answer."""
    values, gangs, devices = draw(seed, 60, 4)
    plain = find_prices(values=values, gangs=gangs, devices=devices * 4, compiled=False)
    fast = find_prices(values=values, gangs=gangs, devices=devices * 4)
    assert plain.by_kind.tobytes() == fast.by_kind.tobytes()
    assert (plain.bound, plain.sweeps) == (fast.bound, fast.sweeps)


@pytest.mark.parametrize(
    ("values", "gang", "devices", "named"),
    [
        (np.nan, 1, 1, "not finite"),
        (-1.0, 1, 1, "negative"),
        (np.inf, 1, 1, "not finite"),
        (1.0, 0, 1, "gang of 0"),
        (1.0, 1, -3, "-3 devices"),
    ],
)
def test_absurd_numbers_are_refused_by_name(values: float, gang: int, devices: int, named: str) -> None:
    """NaN, negative and infinite values, empty gangs, negative stock: a clear refusal."""
    with pytest.raises(BadInput, match=named):
        find_prices(values=np.array([[values]]), gangs=np.array([gang]), devices=np.array([devices]), compiled=False)


def test_nobody_and_nothing_have_a_price_of_nothing() -> None:
    """No jobs, or no job that can run: zero prices."""
    empty = find_prices(values=np.zeros((0, 2)), gangs=np.zeros(0, dtype=np.int64), devices=np.array([3, 3]))
    idle = find_prices(values=np.zeros((4, 2)), gangs=np.ones(4, dtype=np.int64), devices=np.array([3, 3]))
    assert empty.by_kind.tolist() == idle.by_kind.tolist() == [0.0, 0.0]
