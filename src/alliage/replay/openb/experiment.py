"""Several policies over several orders and orders of the nodes, each run a value; one run is made at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from alliage.replay.openb.protocol import Run, mean_curve, replay
from alliage.replay.openb.trace import Order, Trace, shuffle_hosts
from alliage.replay.packer import Packer
from alliage.replay.policies import Policy

WARM_UP_PODS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one policy did with one order: a run for each order of the nodes."""

    policy: Policy
    runs: tuple[Run, ...]

    @property
    def seed(self) -> int:
        """The order's seed."""
        return self.runs[0].seed

    @property
    def curve(self) -> tuple[float | None, ...]:
        """Allocated percent by arrived percent, the mean over the orders of the nodes."""
        return mean_curve(self.runs)

    @property
    def decisions_per_s(self) -> float:
        """Calls of `place` a second over all runs, of the loops alone."""
        loops_s = sum(run.loop_s for run in self.runs)
        return sum(run.decisions for run in self.runs) / loops_s if loops_s > 0 else 0.0

    def worst(self, percent: int) -> float | None:
        """The least that any order of the nodes had allocated there."""
        return min((value for run in self.runs if (value := value_at(run.curve, percent)) is not None), default=None)


def value_at(curve: Sequence[float | None], percent: int) -> float | None:
    """The allocated percent when so much had arrived; None where so much never arrived."""
    return curve[percent] if 0 <= percent < len(curve) else None


def run_policy(policy: Policy, trace: Trace, orders: Sequence[Order], permutations: int = 1) -> Iterator[Result]:
    """A result for each order, as it is made; what is compiled is compiled before the first."""
    for order in orders[:1]:
        replay(trace, Order(seed=order.seed, pods=order.pods[:WARM_UP_PODS]), _packer(policy, trace, order.seed))
    for order in orders:
        yield Result(policy=policy, runs=tuple(_runs(policy, trace, order, permutations)))


def _runs(policy: Policy, trace: Trace, order: Order, permutations: int) -> Iterator[Run]:
    for again in range(permutations):
        shuffled = shuffle_hosts(trace, order.seed, again)
        yield replay(shuffled, order, _packer(policy, shuffled, order.seed))


def _packer(policy: Policy, trace: Trace, seed: int) -> Packer:
    return policy.make(trace.hosts, trace.shapes, trace.typical, seed)


def mean_of(results: Sequence[Result]) -> tuple[float | None, ...]:
    """One policy's curve: the mean over its orders."""
    return mean_curve([run for result in results for run in result.runs])
