"""What stands where when a plan is carried out: what each pool has left for a gang, what each tenant spends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alliage.decide.solve.gangs import Gang, levels_of, takes
from alliage.decide.solve.options import Option, full_rate, step_of
from alliage.decide.solve.problem import JobAsk, Pool, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Counts of options (those above 0), with the problem they are of; the same by pool and by work."""

    problem: Problem
    counts: Mapping[Option, int]
    pools: Mapping[int, tuple[tuple[Option, int], ...]]
    works: Mapping[int, tuple[tuple[Option, int], ...]]
    rooms: dict[tuple[int, Gang], bool] = field(default_factory=dict, repr=False, compare=False)
    """What `room_for` found already: it is asked the same for every work."""

    def in_pool(self, pool: int) -> tuple[tuple[Option, int], ...]:
        """What stands in one pool."""
        return self.pools.get(pool, ())

    def of_work(self, work: int) -> tuple[tuple[Option, int], ...]:
        """Where one work stands."""
        return self.works.get(work, ())

    def spent_micros(self, tenant: str) -> int:
        """What a tenant's devices cost an hour at list prices."""
        return sum(
            count * option.gang.devices * self.problem.pools[option.pool].price_micros
            for option, count in self.counts.items()
            if self.problem.works[option.work].tenant == tenant
        )

    def without(self, taken: Mapping[Option, int]) -> "Standing":
        """What is left when so many of these are taken away."""
        if not taken:
            return self
        left = {option: count - taken.get(option, 0) for option, count in self.counts.items()}
        return standing(self.problem, left.keys(), left.values())


def standing(problem: Problem, options: Iterable[Option], counts: Iterable[int]) -> Standing:
    """From counts in the order of the options."""
    kept = {option: count for option, count in zip(options, counts, strict=True) if count > 0}
    pools: dict[int, list[tuple[Option, int]]] = {}
    works: dict[int, list[tuple[Option, int]]] = {}
    for option, count in kept.items():
        pools.setdefault(option.pool, []).append((option, count))
        works.setdefault(option.work, []).append((option, count))
    return Standing(
        problem=problem,
        counts=kept,
        pools={pool: tuple(there) for pool, there in pools.items()},
        works={work: tuple(there) for work, there in works.items()},
    )


def has_room(gangs: Sequence[tuple[Gang, int]], pool: Pool, gang: Gang) -> bool:
    """Whether one more gang finds a place in the pool, the others moved together as far as they may be."""
    everyone = [*gangs, (gang, 1)]
    for level in levels_of((each for each, _ in everyone), pool):
        taken = sum(takes(each, level) * count for each, count in everyone)
        if taken > pool.nodes * level.usable:
            return False
    return True


def room_for(place: Standing, pool: int, gang: Gang) -> bool:
    """Whether one more gang finds a place in a pool beside what stands there."""
    if (pool, gang) not in place.rooms:
        gangs = [(option.gang, count) for option, count in place.in_pool(pool)]
        place.rooms[pool, gang] = has_room(gangs, place.problem.pools[pool], gang)
    return place.rooms[pool, gang]


def devices_in(place: Standing, pool: int) -> int:
    """How many devices of a pool are given."""
    return sum(option.gang.devices * count for option, count in place.in_pool(pool))


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a work lacks: requests a second or jobs (in parts of full speed), and replicas of its least number."""

    amount: float
    replicas: int

    @property
    def is_nothing(self) -> bool:
        """Whether it has all it asks for."""
        return self.amount <= 0 and self.replicas <= 0


def missing_of(place: Standing, work: int) -> Missing:
    """What a work lacks of what it asks for."""
    ask = place.problem.works[work]
    full = full_rate(ask)
    here = place.of_work(work)
    if isinstance(ask, JobAsk):
        done = sum(step_of(ask, option.way, full) * count for option, count in here) * ask.count
        return Missing(amount=_above_noise(ask.count - done, ask.count), replicas=0)
    carried = sum((option.way.rate or 0.0) * count for option, count in here)
    replicas = sum(count for _, count in here)
    return Missing(
        amount=_above_noise(ask.demand_rps - carried, ask.demand_rps), replicas=max(0, ask.min_replicas - replicas)
    )


def _above_noise(amount: float, whole: float) -> float:
    return amount if amount > 1e-9 * max(1.0, whole) else 0.0
