"""The world of a replay: what always holds, whoever routes."""

from math import isnan

import pytest

from alliage.fleet.services import Objective
from alliage.replay.requests.outcome import judge, keeps
from alliage.replay.requests.policies import POLICIES
from alliage.replay.requests.world import Run, World
from alliage.replay.router import Seen
from alliage.speed.batching import Ask, Batching
from tests.replay.requests.builders import a_trace, some_requests, two_replicas

OBJECTIVE = Objective(ttft_s=1.0, tpot_s=0.05)


class Watched:
    """A router that notes what it is told, and leaves the choice to another."""

    def __init__(self, refuse_every: int = 0) -> None:
        self.told: list[tuple[str, int, float]] = []
        self.refuse_every = refuse_every

    def choose(self, request: Seen, now_s: float) -> int | None:
        """One after the other; some are refused."""
        self.told.append(("came", request.key, now_s))
        refused = self.refuse_every and request.key % self.refuse_every == 0
        return None if refused else request.key % 2

    def began(self, key: int, _replica: int, now_s: float) -> None:
        """Noted."""
        self.told.append(("began", key, now_s))

    def ended(self, key: int, _replica: int, now_s: float, _output_tokens: int) -> None:
        """Noted."""
        self.told.append(("ended", key, now_s))


def _run(policy: str, seed: int = 1) -> Run:
    world = World(two_replicas(), some_requests(3))
    return world.run(lambda it: POLICIES[policy].make(it, OBJECTIVE, seed))


@pytest.mark.parametrize("policy", [name for name in POLICIES if name != "alliage-refusing"])
def test_every_request_ends_once_and_no_token_is_lost(policy: str) -> None:
    """Each has its times in order; what was read and what was found in caches are all prompts, but for those read again."""
    run, requests = _run(policy), some_requests(3).requests
    assert len(run.lives) == len(requests)
    for life in run.lives:
        assert life.replica in {0, 1}
        assert life.arrived_s < life.first_s <= life.ended_s
    assert run.read_tokens + run.hit_tokens == sum(each.prompt_tokens for each in requests)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_run(policy: str) -> None:
    """All of it."""
    assert _run(policy) == _run(policy)


def test_a_router_hears_of_everything_once_and_in_order() -> None:
    """Arrival, first token, end of each; times never go back."""
    router = Watched()
    World(two_replicas(), some_requests(5)).run(lambda _: router)
    times = [at_s for _, _, at_s in router.told]
    assert times == sorted(times)
    for what in ("came", "began", "ended"):
        assert sorted(key for each, key, _ in router.told if each == what) == list(range(60))


def test_a_refused_request_has_not_kept_its_objective() -> None:
    """It has no times, is counted as refused, and the others are answered."""
    trace = some_requests(5)
    run = World(two_replicas(), trace).run(lambda _: Watched(refuse_every=4))
    outcome = judge(run, trace.requests, Objective(ttft_s=None, tpot_s=None))
    assert outcome.refused_share == pytest.approx(15 / 60)
    assert outcome.kept_share == pytest.approx(45 / 60)
    assert [isnan(life.first_s) for life in run.lives] == [key % 4 == 0 for key in range(60)]


def test_times_are_those_of_the_batching() -> None:
    """One request alone takes what its replica's state machine says, to the last bit."""
    trace = a_trace((2.0, 700, 50))
    run = World(two_replicas(), trace).run(lambda _: Watched())
    machine = Batching(two_replicas()[0].pace)
    machine.submit(Ask(id="0", prompt_tokens=700, output_tokens=50), 2.0)
    steps = []
    while machine.due_s is not None:
        steps.append(machine.finish_step())
    assert (run.lives[0].first_s, run.lives[0].ended_s) == (steps[0].ended_s, steps[-1].ended_s)
    assert run.steps == len(steps)


def test_an_objective_is_kept_or_not() -> None:
    """By its first token, by the tokens after it, and an answer of one token by the first alone."""
    trace = a_trace((0.0, 700, 50), (0.0, 10, 1))
    run = World(two_replicas(), trace).run(lambda _: Watched())
    life, request = run.lives[0], trace.requests[0]
    token_s = (life.ended_s - life.first_s) / 49
    assert keeps(life, request, Objective(ttft_s=life.ttft_s, tpot_s=token_s * 1.0001))
    assert not keeps(life, request, Objective(ttft_s=life.ttft_s * 0.99, tpot_s=None))
    assert not keeps(life, request, Objective(ttft_s=None, tpot_s=token_s * 0.99))
    assert keeps(run.lives[1], trace.requests[1], Objective(ttft_s=None, tpot_s=0.001))
