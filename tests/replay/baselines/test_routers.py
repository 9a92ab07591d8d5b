"""Baselines of routing: each does what its name says."""

from collections import Counter
from math import inf

import pytest

from alliage.fleet.services import Objective
from alliage.replay.baselines.clairvoyant import Clairvoyant
from alliage.replay.baselines.least_requests import LeastRequests
from alliage.replay.baselines.prefix_affinity import PrefixAffinity
from alliage.replay.baselines.round_robin import RoundRobin
from alliage.replay.baselines.two_choices import TwoChoices
from alliage.replay.requests.world import World
from alliage.replay.router import Seen
from tests.replay.requests.builders import a_trace, some_requests, two_replicas


def _seen(key: int, blocks: tuple[int, ...] = (), prompt: int = 100) -> Seen:
    return Seen(key=key, prompt_tokens=prompt, blocks=blocks)


def test_round_robin_goes_round() -> None:
    """One after the other."""
    router = RoundRobin(3)
    assert [router.choose(_seen(key), 0.0) for key in range(5)] == [0, 1, 2, 0, 1]


def test_least_requests_counts_those_that_have_not_ended() -> None:
    """The first of equals; one that ended makes room."""
    router = LeastRequests(3)
    assert [router.choose(_seen(key), 0.0) for key in range(4)] == [0, 1, 2, 0]
    router.ended(2, 2, 1.0, 5)
    assert router.choose(_seen(4), 2.0) == 2


def test_two_choices_draws_from_its_seed() -> None:
    """The same seed the same draws; never the fullest of three by far; one replica alone is drawn too."""
    first, again, other = (TwoChoices(8, seed) for seed in (1, 1, 2))
    draws = [[router.choose(_seen(key), 0.0) for key in range(200)] for router in (first, again, other)]
    assert draws[0] == draws[1] != draws[2]
    counts = Counter(draws[0])
    assert max(counts.values()) - min(counts.values()) <= 6
    assert TwoChoices(1, 1).choose(_seen(0), 0.0) == 0


def test_affinity_keeps_what_begins_alike_together() -> None:
    """By the first two blocks, the first of which all share; different ones spread."""
    router = PrefixAffinity(4)
    assert router.choose(_seen(0, (0, 7, 8)), 0.0) == router.choose(_seen(1, (0, 7, 9, 10)), 0.0)
    assert {router.choose(_seen(2, (0, block)), 0.0) for block in range(60)} == {0, 1, 2, 3}
    assert {router.choose(_seen(key), 0.0) for key in range(60)} == {0, 1, 2, 3}


@pytest.mark.parametrize("compiled", [False, True])
def test_what_the_clairvoyant_foresees_comes_true(*, compiled: bool) -> None:
    """Where nobody comes after it: the end of the last request is the batching's own, whoever is there already."""
    trace = some_requests(4, 25, rate=9.0)
    trace = a_trace(*((each.at_s, each.prompt_tokens, each.output_tokens) for each in trace.requests))
    foreseen: list[float] = []

    class Noting(Clairvoyant):
        """Sends all to the first, and notes what it foresees of the last."""

        def choose(self, request: Seen, now_s: float) -> int:
            """The first."""
            self._arrived_s[request.key] = now_s
            self._sent[0] += 1
            if request.key == len(trace.requests) - 1:
                foreseen.append(self.foresee(request, 0, now_s)[0])
            return 0

    lengths = [each.output_tokens for each in trace.requests]
    run = World(two_replicas(), trace).run(lambda it: Noting(it.machines, lengths, compiled=compiled))
    assert foreseen == [pytest.approx(run.lives[-1].ended_s, rel=1e-6)]


def test_the_clairvoyant_spares_the_objectives_of_others() -> None:
    """Of two replicas it takes the one where fewer objectives are missed, even where it ends later."""
    trace = some_requests(6, 120, rate=25.0)
    objective = Objective(ttft_s=1.0, tpot_s=0.03)
    lengths = [each.output_tokens for each in trace.requests]

    def missed(asked: Objective | None) -> int:
        run = World(two_replicas(), trace).run(lambda it: Clairvoyant(it.machines, lengths, objective=asked))
        told = zip(run.lives, trace.requests, strict=True)
        return sum(
            life.ttft_s > (objective.ttft_s or inf)
            or (life.ended_s - life.first_s) / max(1, of.output_tokens - 1) > (objective.tpot_s or inf)
            for life, of in told
        )

    assert missed(objective) <= missed(None)
