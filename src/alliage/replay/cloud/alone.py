"""The rival of a shared fleet: for one model a pool of its own that never changes, the smallest that keeps its objective."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from alliage.catalog.records import Catalog
from alliage.decide.aiming.kinds import kinds
from alliage.decide.aiming.live_ways import LiveWay, live_ways
from alliage.decide.reckoning import Reckoner
from alliage.fleet.demand import Demand
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.rehearsal.pacing import Unpaced, pace_of_recipe
from alliage.replay.requests.making import Playable
from alliage.replay.requests.ours import Ours
from alliage.replay.requests.outcome import judge
from alliage.replay.requests.trace import Request, Trace
from alliage.replay.requests.world import World
from alliage.speed.batching import BLOCK_TOKENS

_HOPEFUL = 3.0
"""A pool whose planned rate, so many times over, is below what comes in the busiest minute is taken to keep too few."""
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`count` replicas of a recipe, and the share of the requests that kept the objective there."""

    recipe: Recipe
    count: int
    kept_share: float

    @property
    def devices(self) -> int:
        """All of them together."""
        return self.count * self.recipe.devices


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A recipe that could be taken: what one replica is like, and what the plan reckons that it carries."""

    one: Playable
    devices: int
    rate_rps: float


def smallest_pool(
    service: Service,
    requests: Sequence[Request],
    nodes: Sequence[RehearsedNode],
    catalog: Catalog,
    *,
    share: float,
    devices_max: int,
) -> Pool | None:
    """The fewest devices, all of one recipe, with which `share` of the requests keep the objective; None: none up to `devices_max`.

    Every recipe of known speed that the plan could choose is tried that may be smaller than the best one yet. More replicas are
    taken to keep no less.
    """
    busiest_rps = _busiest_rps(requests)
    best: Pool | None = None
    for way in sorted(_ways(service, requests, nodes, catalog), key=lambda each: -each.rate_rps / each.devices):
        most = (devices_max if best is None else best.devices - 1) // way.devices
        hopeless = ceil(busiest_rps / (way.rate_rps * _HOPEFUL)) - 1
        if hopeless < most:
            best = _least(way, hopeless, most, service, requests, share) or best
    return best


def _least(  # noqa: PLR0917 - what is searched
    way: _Way, low: int, most: int, service: Service, requests: Sequence[Request], share: float
) -> Pool | None:
    """The least number of replicas above `low` and up to `most`; in steps that double."""
    step, high, kept = 1, low + 1, 0.0
    while (kept := _kept(way, min(high, most), service, requests)) < share:
        if high >= most:
            return None
        low, high, step = high, high + step, 2 * step
    high = min(high, most)
    while high - low > 1:
        middle = (low + high) // 2
        seen = _kept(way, middle, service, requests)
        if seen >= share:
            high, kept = middle, seen
        else:
            low = middle
    return Pool(recipe=way.one.recipe, count=high, kept_share=kept)


def _kept(way: _Way, count: int, service: Service, requests: Sequence[Request]) -> float:
    replicas = [replace(way.one, name=f"alone/{number}") for number in range(count)]
    world = World(replicas, Trace(name=service.name, requests=tuple(requests), block_tokens=BLOCK_TOKENS))
    run = world.run(lambda _: Ours(replicas, service.objective, block_tokens=BLOCK_TOKENS))
    return judge(run, requests, service.objective).kept_share


def _ways(
    service: Service, requests: Sequence[Request], nodes: Sequence[RehearsedNode], catalog: Catalog
) -> Iterator[_Way]:
    by_name = {each.node.id: each for each in nodes}
    longest = max(each.prompt_tokens + each.output_tokens for each in requests)
    count = len(requests)
    demand = Demand(
        rate_rps=1.0,
        input_tokens=max(1, round(sum(each.prompt_tokens for each in requests) / count)),
        output_tokens=max(1, round(sum(each.output_tokens for each in requests) / count)),
    )
    view = FleetView(
        version=0,
        nodes=tuple(each.node for each in nodes),
        services=(),
        replicas=(),
        keys=(),
        demand={service.name: demand},
    )
    reckoner = Reckoner(catalog)
    for kind in kinds(view, catalog):
        node = by_name[kind.nodes[0]]
        for way in live_ways(kind, demand, reckoner.at(service, kind.place, node.node.id, view, is_rehearsed=True)):
            found = _playable(way, service, node)
            room = way.recipe.context_tokens if found is None else min(way.recipe.context_tokens, found.pace.kv_tokens)
            if found is not None and way.rate_rps and room >= longest:
                yield _Way(one=found, devices=way.recipe.devices, rate_rps=way.rate_rps)


def _playable(way: LiveWay, service: Service, node: RehearsedNode) -> Playable | None:
    chip = way.recipe.chip
    pace = pace_of_recipe(way.recipe, service.model, node.likes[chip])
    if isinstance(pace, Unpaced):
        return None
    return Playable(name="alone", recipe=way.recipe, pace=pace, speed=node.speeds[chip])


def _busiest_rps(requests: Sequence[Request]) -> float:
    counts: dict[int, int] = {}
    for each in requests:
        minute = int(each.at_s // _MINUTE_S)
        counts[minute] = counts.get(minute, 0) + 1
    return max(counts.values()) / _MINUTE_S
