"""Seeded instances for the plan benchmark: a mixed fleet, tenants, and services with recipes of unlike worth."""

import random
from dataclasses import replace

from alliage.decide.solve.answer import Plan
from alliage.decide.solve.problem import Guarantee, Pool, Problem, Running, ServiceAsk, Site, Tenant, Way
from alliage.fleet.replicas import Evidence

SITES = ("north", "south", "west")
GANGS = (1, 1, 2, 2, 4, 4, 8)


def an_instance(
    seed: int, *, services: int = 300, chips: int = 12, recipes: int = 30, tenants: int = 20, load: float = 1.15
) -> Problem:
    """`recipes` ways a service, over `chips` kinds of chip; together the services ask for about `load` of the fleet."""
    draw = random.Random(seed)
    speeds = [draw.uniform(0.3, 3.0) for _ in range(chips)]
    pools = _pools(draw, speeds)
    asks = [_service(draw, index, speeds, recipes, tenants) for index in range(services)]
    factor = load * sum(pool.devices for pool in pools) / sum(_devices(ask) for ask in asks)
    asks = [replace(ask, demand_rps=ask.demand_rps * factor) for ask in asks]
    asks = [replace(ask, value_micros=round(_devices(ask) * draw.uniform(1.5e6, 8e6))) for ask in asks]
    return Problem(
        sites=tuple(Site(name=name, region=name) for name in SITES),
        pools=tuple(pools),
        tenants=tuple(_tenant(draw, index, pools, tenants) for index in range(tenants)),
        services=tuple(asks),
    )


def _pools(draw: random.Random, speeds: list[float]) -> list[Pool]:
    """Each chip at two of the three sites."""
    pools = []
    for chip, speed in enumerate(speeds):
        price = round(1e6 * speed * draw.uniform(0.7, 1.4))
        for site in draw.sample(SITES, 2):
            size = draw.choice((4, 8, 8, 8))
            nodes = draw.randint(6, 30)
            pools.append(
                Pool(
                    name=f"{site}-c{chip:02}",
                    site=site,
                    chip=f"c{chip:02}",
                    node_devices=size,
                    nodes=nodes,
                    price_micros=price,
                )
            )
    return pools


def _service(draw: random.Random, index: int, speeds: list[float], recipes: int, tenants: int) -> ServiceAsk:
    size = draw.choice((1, 1, 2, 4))
    work = draw.uniform(0.5, 2.0)
    ways = []
    for number in range(recipes):
        chip = number % len(speeds) if number < len(speeds) else draw.randrange(len(speeds))
        devices = max(size, draw.choice(GANGS))
        rate = 10 * work * speeds[chip] * devices**0.93 / size * draw.uniform(0.5, 1.0)
        ways.append(
            Way(
                name=f"r{number:02}",
                chip=f"c{chip:02}",
                devices=devices,
                rate=round(rate, 3),
                evidence=Evidence.ESTIMATED,
            )
        )
    least = draw.choice((0, 1, 1, 2))
    return ServiceAsk(
        name=f"s{index:03}",
        tenant=f"t{index % tenants:02}",
        demand_rps=round(10 * work * draw.lognormvariate(1.0, 0.9), 3),
        ways=tuple(ways),
        min_replicas=least,
        max_replicas=64,
        residency=frozenset({draw.choice(SITES)} if draw.random() < 0.15 else ()),
        start_micros=round(draw.uniform(0.2e6, 2e6)),
    )


def _devices(ask: ServiceAsk) -> float:
    """About how many devices its demand takes by its middling recipe."""
    each = sorted(way.devices / way.rate for way in ask.ways if way.rate)
    return ask.demand_rps * each[len(each) // 2]


def _tenant(draw: random.Random, index: int, pools: list[Pool], tenants: int) -> Tenant:
    """A fifth of each of three chips is guaranteed among the tenants that drew them."""
    chips = {pool.chip: sum(each.devices for each in pools if each.chip == pool.chip) for pool in pools}
    drawn = draw.sample(sorted(chips), 3)
    return Tenant(
        name=f"t{index:02}",
        tier=draw.choice((0, 1)),
        weight=draw.choice((1.0, 1.0, 2.0)),
        guarantees=tuple(
            Guarantee(chips=frozenset({chip}), devices=max(1, chips[chip] // (2 * tenants))) for chip in drawn
        ),
    )


def running(problem: Problem, plan: Plan) -> Problem:
    """The problem when the plan runs."""
    runs = [Running(work=each.work, way=each.way, pool=each.pool, count=each.count) for each in plan.assigned]
    return replace(problem, running=tuple(runs))
