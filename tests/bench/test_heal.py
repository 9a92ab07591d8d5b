"""What a round of healing comes to, from what its clients saw."""

from bench.heal.clients import Asked
from bench.heal.figures import Goal, kept_again_s, share

GOAL = Goal(ttft_s=1.0, tpot_s=0.1)


def asked(begun_s: float, *, ttft_s: float = 0.5, tpot_s: float = 0.05, failure: str = "") -> Asked:
    """A request of eleven tokens."""
    first_s = begun_s + ttft_s
    return Asked(begun_s=begun_s, first_s=first_s, last_s=first_s + 10 * tpot_s, tokens=11, failure=failure)


def test_each_half_of_the_objective_counts_and_so_does_a_failure() -> None:
    """Late, slow or broken: each misses it; what was never begun to be answered does too."""
    assert GOAL.is_kept(asked(1.0))
    assert not GOAL.is_kept(asked(1.0, ttft_s=1.5))
    assert not GOAL.is_kept(asked(1.0, tpot_s=0.2))
    assert not GOAL.is_kept(asked(1.0, failure="cut"))
    assert not GOAL.is_kept(Asked(begun_s=1.0))


def test_kept_again_is_when_the_last_that_missed_it_was_begun() -> None:
    """What was begun before the fault does not count, and nothing missed is zero."""
    seen = [
        asked(1.0, ttft_s=9.0),
        asked(11.0),
        asked(14.0, ttft_s=2.0),
        asked(15.0),
        asked(17.5, tpot_s=0.3),
        asked(20.0),
    ]
    assert kept_again_s(seen, GOAL, 10.0) == 7.5
    assert kept_again_s(seen[:2], GOAL, 10.0) == 0.0
    assert share(seen, GOAL, 10.0, 18.0) == 0.5
    assert share(seen, GOAL, 30.0, 40.0) == 1.0
