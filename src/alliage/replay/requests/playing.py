"""One policy, one seed, one speed-up: played and judged. And the load up to which a policy keeps what is asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from alliage.errors import BadInput
from alliage.fleet.services import Objective
from alliage.replay.requests.making import Playable
from alliage.replay.requests.outcome import Outcome, judge
from alliage.replay.requests.policies import Policy
from alliage.replay.requests.trace import Trace, speed_up
from alliage.replay.requests.world import Progress, World

_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run's outcome."""

    policy: Policy
    seed: int
    speed_up: float
    outcome: Outcome

    def to_line(self) -> dict[str, object]:
        """One line of a result file: the same for the same run."""
        numbers = {name: round(value, _PLACES) for name, value in asdict(self.outcome).items()}
        return {"policy": self.policy.name, "seed": self.seed, "speed_up": self.speed_up, **numbers}


def play(
    policy: Policy,
    trace: Trace,
    replicas: Sequence[Playable],
    objective: Objective,
    *,
    factor: float,
    seed: int,
    progress: Progress = lambda _done, _of: None,
) -> Played:
    """Replay the trace, `factor` times as fast, from empty replicas. BadInput for a request that no replica could hold."""
    quicker = speed_up(trace, factor)
    check_room(quicker, replicas)
    world = World(replicas, quicker)
    run = world.run(lambda it: policy.make(it, objective, seed), progress)
    return Played(policy=policy, seed=seed, speed_up=factor, outcome=judge(run, quicker.requests, objective))


def check_room(trace: Trace, replicas: Sequence[Playable]) -> None:
    """Raise BadInput where a request is longer than a recipe allows or a cache holds: no engine would take it."""
    context = min(min(each.recipe.context_tokens, each.pace.kv_tokens) for each in replicas)
    for number, request in enumerate(trace.requests, start=1):
        if (tokens := request.prompt_tokens + request.output_tokens) > context:
            raise BadInput(
                f"request {number} of {trace.name} has {tokens} tokens, a replica takes {context}",
                remedy="raise context_tokens in the experiment, or take larger chips",
            )


def play_seeds(policy: Policy, seeds: Sequence[int]) -> Iterator[int]:
    """The seeds that make a difference to the policy: one where it draws nothing."""
    yield from seeds if policy.draws else seeds[:1]


def find_load(
    keeps: Callable[[float], float], *, share: float, low: float, high: float, tolerance: float = 0.01
) -> float:
    """The greatest load, within `tolerance` of itself, at which `keeps(load)` is at least `share`, by bisection.

    `high` bounds the search. BadInput where not even `low` keeps it.
    """
    if keeps(low) < share:
        raise BadInput(f"at speed-up {low:g} less than {share:.0%} keep their objective", remedy="begin lower")
    if keeps(high) >= share:
        return high
    while high > low * (1 + tolerance):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if keeps(middle) >= share else (low, middle)
    return low
