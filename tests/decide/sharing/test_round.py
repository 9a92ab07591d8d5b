"""One round of sharing: what always holds, small rounds by hand, and how near it comes to the best."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import Jobs, Shares, Tenant
from alliage.decide.sharing.round import count_devices, share
from alliage.decide.sharing.values import STANDARD, Rule, value_jobs
from alliage.errors import BadInput
from tests.decide.sharing.builders import drawn_jobs, some_jobs

SEEDS = st.integers(0, 2**32 - 1)


def shared(jobs: Jobs, *devices: int, tenants: tuple[Tenant, ...] = (Tenant(),), rule: Rule = STANDARD) -> Shares:
    """The round, by the plain functions."""
    return share(jobs, np.array(devices, dtype=np.int64), tenants=tenants, rule=rule, compiled=False)


def permuted(jobs: Jobs, order: list[int]) -> Jobs:
    """The same jobs in another order."""
    return Jobs(**{name: getattr(jobs, name)[order] for name in Jobs.__slots__})


def test_each_job_gets_the_kind_that_it_gains_most_on() -> None:
    """Two jobs, one fast device and one slow: the one that the slow one suits less gets the fast one."""
    answer = shared(some_jobs([[10.0, 9.0], [10.0, 1.0]]), 1, 1)
    assert answer.kinds.tolist() == [1, 0]
    assert answer.certificate == pytest.approx(1.0)


def test_who_has_had_less_runs() -> None:
    """One device, two like jobs of one age: the one with fewer steps done gets it, however fast a step is counted."""
    jobs = some_jobs([[1.0], [100.0]], steps=[500.0, 90_000.0], age_s=[1000.0, 1000.0])
    assert shared(jobs, 1).kinds.tolist() == [0, -1]


def test_a_running_job_stays_unless_another_place_is_clearly_better() -> None:
    """Who ran keeps the device against a like job that waited as long; without the bonus the first in order wins."""
    jobs = some_jobs([[1.0], [1.0]], steps=[50.0, 50.0], age_s=[1000.0, 1000.0], kinds=[-1, 0])
    assert shared(jobs, 1).kinds.tolist() == [-1, 0]
    assert shared(jobs, 1, rule=Rule(stay=0.0)).kinds.tolist() == [0, -1]


def test_the_fuller_it_is_the_longer_a_job_stays() -> None:
    """One device, its job at twice the waiting one's rate: that one gets it, but not where eight more wait that had most.

    Eight gangs that fit nowhere are no crowd.
    """
    rates, had_most = [3e4, 6e4], [9.5e4] * 8
    for gang, expected in ((1, 1), (100, 0)):
        crowd = some_jobs(
            [[1.0]] * 10, gangs=[1, 1] + [gang] * 8, steps=rates + had_most, age_s=[1e5] * 10, kinds=[-1, 0] + [-1] * 8
        )
        assert shared(crowd, 1).kinds.tolist().index(0) == expected
    assert shared(some_jobs([[1.0]] * 2, steps=rates, age_s=[1e5] * 2, kinds=[-1, 0]), 1).kinds.tolist() == [0, -1]


def test_a_gang_takes_the_place_of_singles_that_are_worth_less() -> None:
    """Four devices: three singles fill first by worth a device, then the gang of four that is worth more swaps in."""
    values = np.array([[3.0], [3.0], [3.0], [11.0]])
    jobs = some_jobs([[1.0]] * 4, gangs=[1, 1, 1, 4])
    answer = share(jobs, np.array([4]), values=values, compiled=False)
    assert answer.kinds.tolist() == [-1, -1, -1, 0]
    assert answer.value == 11.0


def test_a_job_below_its_private_share_comes_first() -> None:
    """The guard: at twice its lag limit a job outbids one that has had less of its speed."""
    jobs = some_jobs([[1.0], [1.0]], steps=[300.0, 200.0], private_steps=[900.0, 100.0], age_s=[1000.0, 1000.0])
    assert shared(jobs, 1, rule=Rule(lag_settle_s=1.0)).kinds.tolist() == [0, -1]
    assert shared(jobs, 1, rule=Rule(lag_power=0.0)).kinds.tolist() == [-1, 0]


def test_weight_multiplies_worth() -> None:
    """Two like jobs, one device: the tenant of more weight has it, whoever stands first."""
    jobs = some_jobs([[1.0], [1.0]], tenants=[0, 1])
    assert shared(jobs, 1, tenants=(Tenant(), Tenant(weight=2.0))).kinds.tolist() == [-1, 0]


@given(seed=SEEDS, count=st.integers(0, 25), kinds=st.integers(1, 4), each=st.integers(0, 12))
def test_capacity_gangs_and_reach_always_hold(seed: int, count: int, kinds: int, each: int) -> None:
    """No kind gives more than it has, a gang is whole or absent, and no job runs where it cannot."""
    jobs = drawn_jobs(seed, count, kinds)
    answer = shared(jobs, *[each] * kinds)
    assert (count_devices(jobs.gangs, answer.kinds, kinds) <= each).all()
    placed = np.nonzero(answer.kinds >= 0)[0]
    assert (jobs.speeds[placed, answer.kinds[placed]] > 0.0).all()


@given(seed=SEEDS, count=st.integers(1, 25), kinds=st.integers(1, 4), each=st.integers(0, 12))
def test_nothing_that_fits_waits(seed: int, count: int, kinds: int, each: int) -> None:
    """Work-conserving: no waiting gang fits into what is free of a kind on which it runs."""
    jobs = drawn_jobs(seed, count, kinds)
    answer = shared(jobs, *[each] * kinds)
    free = each - count_devices(jobs.gangs, answer.kinds, kinds)
    for job in np.nonzero(answer.kinds < 0)[0]:
        assert not ((jobs.speeds[job] > 0.0) & (free >= jobs.gangs[job])).any()


@given(seed=SEEDS, count=st.integers(1, 15), kinds=st.integers(1, 3), shift=st.integers(-20, 20))
def test_counting_a_job_in_other_steps_changes_nothing(seed: int, count: int, kinds: int, shift: int) -> None:
    """A job's speeds and steps times a power of two: the same round, to the byte."""
    jobs = drawn_jobs(seed, count, kinds)
    factor = np.ones(count)
    factor[seed % count] = 2.0**shift
    scaled = replace(
        jobs,
        speeds=jobs.speeds * factor[:, np.newaxis],
        steps=jobs.steps * factor,
        private_steps=jobs.private_steps * factor,
    )
    before, after = shared(jobs, *[5] * kinds), shared(scaled, *[5] * kinds)
    assert before.kinds.tobytes() == after.kinds.tobytes()
    assert before.prices.tobytes() == after.prices.tobytes()


@given(seed=SEEDS, count=st.integers(1, 15), kinds=st.integers(1, 3), data=st.data())
def test_the_order_of_jobs_does_not_matter(seed: int, count: int, kinds: int, data: st.DataObject) -> None:
    """Without ties (real numbers drawn at random have none) the same jobs in any order get the same places."""
    jobs = drawn_jobs(seed, count, kinds)
    order = data.draw(st.permutations(range(count)))
    before, after = shared(jobs, *[5] * kinds), shared(permuted(jobs, order), *[5] * kinds)
    assert before.kinds[order].tolist() == after.kinds.tolist()


@given(seed=SEEDS, count=st.integers(1, 5), kinds=st.integers(1, 3))
def test_value_is_near_the_best_and_never_above_the_bound(seed: int, count: int, kinds: int) -> None:
    """Against every assignment of five jobs: the round is worth at least 85 % of the best, and none beats the bound."""
    jobs, devices = drawn_jobs(seed, count, kinds), [5] * kinds
    values = value_jobs(jobs, np.array(devices), (Tenant(),), Rule(), compiled=False)
    best = 0.0
    for places in product(range(-1, kinds), repeat=count):
        at = np.array(places)
        if (count_devices(jobs.gangs, at, kinds) <= devices).all() and (values[at >= 0, at[at >= 0]] > 0.0).all():
            best = max(best, float(values[at >= 0, at[at >= 0]].sum()))
    answer = shared(jobs, *devices)
    assert 0.85 * best <= answer.value <= best * (1 + 1e-12)
    assert best <= answer.bound * (1 + 1e-12)


def test_compiled_and_plain_give_the_same_bytes() -> None:
    """The whole round, prices carried from one to the next, compiled and not."""
    devices = np.array([9, 9, 9], dtype=np.int64)
    before: NDArray[np.float64] | None = None
    for seed in range(4):
        jobs = drawn_jobs(seed, 40, 3)
        plain = share(jobs, devices, start=before, compiled=False)
        fast = share(jobs, devices, start=before)
        assert plain.kinds.tobytes() == fast.kinds.tobytes()
        assert plain.prices.tobytes() == fast.prices.tobytes()
        assert (plain.value, plain.bound) == (fast.value, fast.bound)
        before = plain.prices


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
def test_absurd_numbers_are_refused_by_name(number: float) -> None:
    """A negative, missing or infinite entry is named, and no round is made of it."""
    with pytest.raises(BadInput, match="speeds"):
        shared(some_jobs([[number]]), 1)
    with pytest.raises(BadInput, match="steps"):
        shared(some_jobs([[1.0]], steps=[number]), 1)
    with pytest.raises(BadInput, match="weight"):
        shared(some_jobs([[1.0]]), 1, tenants=(Tenant(weight=number),))
    with pytest.raises(BadInput, match="tenant 3"):
        shared(some_jobs([[1.0]], tenants=[3]), 1)


def test_huge_numbers_still_make_a_round() -> None:
    """1e30 steps, ages and lags: who can run runs."""
    jobs = some_jobs([[1e30], [1e-30]], steps=[0.0, 1e30], private_steps=[1e60, 1.0], age_s=[1e30, 1e30])
    assert sorted(shared(jobs, 1).kinds.tolist()) == [-1, 0]


def test_no_jobs_and_no_devices() -> None:
    """Nobody asks, or nothing is there: an empty round, with a whole certificate."""
    assert shared(drawn_jobs(1, 0, 2), 3, 3).kinds.tolist() == []
    answer = shared(some_jobs([[1.0]]), 0)
    assert answer.kinds.tolist() == [-1]
    assert answer.certificate == 1.0
