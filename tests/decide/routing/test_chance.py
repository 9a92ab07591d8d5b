"""Chance in routing: the shares are those of what they model, and each replica's own prompts are believed slowly."""

from random import Random

import pytest

from alliage.decide.routing.chance import Reads, late_share


def test_the_share_of_late_answers_is_that_of_a_simulation() -> None:
    """Exponential lengths, normal waiting a token: drawn 200,000 times from a seed, for three spares."""
    dice, mean, each, draws = Random(3), 200.0, 0.05, 200_000
    for spare_s in (0.001, 0.005, 0.02):
        late = 0
        for _ in range(draws):
            tokens = dice.expovariate(1 / mean)
            late += dice.gauss(0.0, each * tokens**0.5) > tokens * spare_s
        assert late / draws == pytest.approx(late_share(spare_s, 2 * each * each / mean), abs=0.003)


def test_the_share_is_sane_at_its_ends() -> None:
    """A half with nothing to spare, none with much, all far beyond; it never rises with what there is to spare."""
    assert late_share(0.0, 0.0) == late_share(0.0, 1.0) == 0.5
    assert late_share(1.0, 0.0) == 0.0
    assert late_share(-1.0, 0.0) == 1.0
    shares = [late_share(spare / 10, 0.1) for spare in range(-20, 21)]
    assert shares == sorted(shares, reverse=True)


def test_a_replicas_own_prompts_count_as_they_are_seen() -> None:
    """None: those of the service; many: its own mean and mean square, the newest a little more."""
    reads = Reads()
    assert reads.among(0.5) == (0.5, 0.5)
    for _ in range(2000):
        reads.add(0.5)
    mean_s, square = reads.among(0.2)
    assert mean_s == pytest.approx(0.5, rel=0.01)
    assert square == pytest.approx(0.25, rel=0.01)
