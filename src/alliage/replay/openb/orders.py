"""Arrival orders: drawn from a seed where no file gives them, and chosen by their seeds."""

from collections.abc import Sequence
from random import Random
from typing import Final

from alliage.errors import BadInput
from alliage.replay.openb.trace import Order, Trace, capacity_milli, device_milli

DEMAND_PERCENT: Final = 130
"""How much demand arrives, in percent of capacity, as in the study."""
PODS_MAX: Final = 5_000_000
SEEDS: Final = tuple(range(42, 52))
"""The study's seeds."""


def draw_order(trace: Trace, seed: int) -> Order:
    """All pods shuffled, then pods drawn with replacement until 1.3 times the devices there are were asked for.

    The study draws likewise, from another generator: a seed here is not the study's order of that seed. A trace that
    asks for more than that to begin with is shuffled and no more. Raises BadInput where the pods ask for so little
    that the order would be absurdly long.
    """
    dice = Random(seed)  # noqa: S311 - a seeded draw, not a secret
    pods = list(range(len(trace.pods)))
    dice.shuffle(pods)
    demand = [device_milli(trace.shapes[shape]) for shape in trace.pods]
    wanted, asked = capacity_milli(trace.hosts) * DEMAND_PERCENT // 100, sum(demand)
    if asked and wanted / asked * len(pods) > PODS_MAX:
        message = f"the {len(pods)} pods ask for {asked / 1000:.4g} of {wanted / 1000:.4g} devices"
        raise BadInput(message, remedy="give an arrivals file, or pods that ask for more")
    while 0 < asked < wanted:
        pods.append(dice.randrange(len(trace.pods)))
        asked += demand[pods[-1]]
    return Order(seed=seed, pods=tuple(pods))


def choose_orders(orders: Sequence[Order], seeds: Sequence[int]) -> tuple[Order, ...]:
    """Those of the seeds, all where none are named. Raises BadInput for a seed that has no order."""
    by_seed = {order.seed: order for order in orders}
    if missing := [seed for seed in seeds if seed not in by_seed]:
        there = ", ".join(str(seed) for seed in by_seed)
        raise BadInput(f"the arrivals file has no seed {missing[0]}", remedy=f"its seeds: {there}")
    return tuple(by_seed[seed] for seed in seeds) if seeds else tuple(orders)


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds in `42,45` or `42-51`. Raises BadInput."""
    seeds: dict[int, None] = {}
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or len(part) > 20:
            raise BadInput(f"{part!r} is no seed", remedy="write seeds as 42,45 or 42-51")
        span = range(int(first), int(last or first) + 1)
        if not 0 < len(span) <= 10_000:
            raise BadInput(f"{part!r} is no range of seeds", remedy="write the lower one first, 10,000 at most")
        seeds.update(dict.fromkeys(span))
    return tuple(seeds)
