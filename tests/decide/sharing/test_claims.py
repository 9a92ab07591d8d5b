"""Guarantees inside the round: got when asked, lent when not, back on demand but not before the minimum run time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.sharing.jobs import Guarantee, Jobs, Shares, Tenant, Unmet
from alliage.decide.sharing.round import count_devices, share
from alliage.decide.sharing.values import Rule
from tests.decide.sharing.builders import drawn_jobs, some_jobs

SEEDS = st.integers(0, 2**32 - 1)


def owning(devices: int, *kinds: int, weight: float = 1.0) -> Tenant:
    """A tenant with one guarantee."""
    return Tenant(weight=weight, guarantees=(Guarantee(kinds=frozenset(kinds), devices=devices),))


def shared(jobs: Jobs, devices: tuple[int, ...], tenants: tuple[Tenant, ...], hold_s: float = 0.0) -> Shares:
    """The round, by the plain functions."""
    rule = Rule(hold_s=hold_s)
    return share(jobs, np.array(devices, dtype=np.int64), tenants=tenants, rule=rule, compiled=False)


def test_no_weight_outbids_a_guarantee() -> None:
    """Two devices, one guaranteed to a tenant whose rival has a million times its weight: each gets one."""
    jobs = some_jobs([[1.0], [1.0], [1.0]], tenants=[1, 1, 0])
    answer = shared(jobs, (2,), (owning(1, 0), Tenant(weight=1e6)))
    assert answer.kinds.tolist() == [0, -1, 0]
    assert answer.unmet == ()


def test_a_guarantee_that_is_not_asked_for_is_lent() -> None:
    """The owner has no jobs: its devices work for others."""
    jobs = some_jobs([[1.0], [1.0]], tenants=[1, 1])
    assert shared(jobs, (2,), (owning(2, 0), Tenant())).kinds.tolist() == [0, 0]


def test_beyond_its_guarantee_a_tenant_bids_like_others() -> None:
    """Guaranteed one of two, the owner of two jobs gets the second device only if its job is worth more."""
    jobs = some_jobs([[1.0], [1.0], [1.0]], tenants=[0, 0, 1])
    assert sorted(shared(jobs, (2,), (owning(1, 0), Tenant(weight=2.0))).kinds[:2].tolist()) == [-1, 0]
    assert shared(jobs, (2,), (owning(1, 0), Tenant(weight=0.5))).kinds.tolist() == [0, 0, -1]


def test_a_borrower_gives_back_on_demand_but_not_before_its_time() -> None:
    """One device, borrowed: it goes back at once, unless the borrower has run less than the minimum.

    Then the record says what stands in the way.
    """
    owner = owning(1, 0)
    for run_s, expected in ((1000.0, [0, -1]), (100.0, [-1, 0])):
        jobs = some_jobs([[1.0], [1.0]], kinds=[-1, 0], run_s=[0.0, run_s], tenants=[0, 1])
        answer = shared(jobs, (1,), (owner, Tenant(weight=5.0)), hold_s=600.0)
        assert answer.kinds.tolist() == expected
    assert answer.unmet == (Unmet(tenant=0, guarantee=owner.guarantees[0], devices=1, obstacle="held"),)


def test_a_wide_guarantee_leaves_the_narrow_one_its_kind() -> None:
    """One may have either kind and is faster on the first, the other only the first: both are served."""
    jobs = some_jobs([[9.0, 1.0], [1.0, 0.0]], tenants=[0, 1])
    answer = shared(jobs, (1, 1), (owning(1, 0, 1), owning(1, 0)))
    assert answer.kinds.tolist() == [1, 0]


def test_gangs_are_placed_before_singles_break_their_room() -> None:
    """Both tenants may have eight of either kind, eight of each are there: the gang of eight gets a whole kind."""
    jobs = some_jobs([[1.0, 1.0]] * 9, gangs=[1] * 8 + [8], tenants=[0] * 8 + [1])
    answer = shared(jobs, (8, 8), (owning(8, 0, 1), owning(8, 0, 1)))
    assert (answer.kinds >= 0).all()
    assert len(set(answer.kinds[:8].tolist())) == 1


def test_a_gang_that_fits_nowhere_is_named_as_the_obstacle() -> None:
    """Guaranteed four of two kinds with two devices each: a gang of four cannot be placed, and the record says so."""
    answer = shared(some_jobs([[1.0, 1.0]], gangs=[4]), (2, 2), (owning(4, 0, 1),))
    (unmet,) = answer.unmet
    assert (unmet.devices, unmet.obstacle) == (4, "gang")


@given(
    seed=SEEDS,
    count=st.integers(1, 20),
    kinds=st.integers(1, 3),
    split=st.lists(st.integers(0, 6), min_size=3, max_size=3),
)
def test_single_device_tenants_get_their_guarantees_when_they_ask(
    seed: int, count: int, kinds: int, split: list[int]
) -> None:
    """Whatever others weigh: each tenant has the least of its guarantee and its demand, where guarantees are covered."""
    jobs = drawn_jobs(seed, count, kinds, tenants=3, most_gang=1)
    kind = seed % kinds
    devices = [sum(split) if each == kind else 2 for each in range(kinds)]
    tenants = tuple(owning(part, kind, weight=10.0 ** (3 * place)) for place, part in enumerate(split))
    answer = shared(jobs, tuple(devices), tenants)
    for tenant, part in enumerate(split):
        own = jobs.tenants == tenant
        there = int((own & (answer.kinds == kind)).sum())
        waiting = own & (answer.kinds < 0) & (jobs.speeds[:, kind] > 0.0)
        assert there >= part or not waiting.any()
    assert answer.unmet == ()


@given(seed=SEEDS, count=st.integers(1, 20), hold_s=st.sampled_from([0.0, 3600.0]), each=st.integers(0, 10))
def test_guarantees_and_holds_never_break_capacity(seed: int, count: int, hold_s: float, each: int) -> None:
    """Gangs, overlapping groups, more promised than there is, held jobs: capacity holds and nothing that fits waits."""
    jobs = drawn_jobs(seed, count, 3, tenants=3)
    tenants = (owning(8, 0, 1), owning(4, 1, 2, weight=3.0), owning(6, 1))
    answer = shared(jobs, (each, each, each), tenants, hold_s)
    free = each - count_devices(jobs.gangs, answer.kinds, 3)
    assert (free >= 0).all()
    for job in np.nonzero(answer.kinds < 0)[0]:
        assert not ((jobs.speeds[job] > 0.0) & (free >= jobs.gangs[job])).any()


@given(seed=SEEDS, count=st.integers(1, 20))
def test_held_jobs_stay_while_their_devices_are_there(seed: int, count: int) -> None:
    """A job inside its minimum run time is where it was, whoever asks."""
    jobs = drawn_jobs(seed, count, 3, tenants=2)
    everyone = int(jobs.gangs.sum())
    answer = shared(jobs, (everyone,) * 3, (owning(everyone, 0, 1, 2, weight=9.0), Tenant()), hold_s=3600.0)
    young = (jobs.kinds >= 0) & (jobs.run_s < 3600.0)
    assert answer.kinds[young].tolist() == jobs.kinds[young].tolist()
