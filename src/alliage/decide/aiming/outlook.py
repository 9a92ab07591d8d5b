"""outlook: the fleet and its services as the plan's programme sees them, and the way back from its names. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from alliage.decide.aiming.kinds import Kind, is_open, kinds
from alliage.decide.aiming.live_ways import LiveWay, live_ways
from alliage.decide.price.listed import Price
from alliage.decide.reckoning import Reckoned, Reckoner
from alliage.decide.solve.problem import Guarantee, Pool, Problem, Running, ServiceAsk, Site, Tenant, Way
from alliage.fleet.demand import Demand
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.lifecycles import LEAVING, NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Evidence, Recipe, Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.speed.pace import LOAD_BYTES_PER_S, START_S

OFFERS_MAX: Final = 50_000
ANSWERS_ALL: Final = 1 << 60
MOVE_TIMES: Final = 5
"""A start costs more than its own devices: those of what it replaces meanwhile, cold caches, answers that are slower. An assumption."""
MORE: Final = "#more"
"""Behind a service's name: its replicas beyond the first."""
FIRST_TIMES: Final = 20
"""What a first replica is worth, in times of what its dearest way costs; others are worth some four times theirs."""
HORIZON_S: Final = 600.0
"""A start is to pay within this time: demand changes so soon that the next plan is another one. Twice what seen demand is held for."""
Barred = tuple[ServiceName, str]
"""A service and the name of one of its ways: what was aimed at and found no room in truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A way of a service at a kind of nodes, as the fleet and as the programme know it."""

    live: LiveWay
    way: Way


Offers = dict[object, tuple[tuple[Reckoned, ...], tuple[Offer, ...]]]
"""Offers that were made before, so that two outlooks share what is the same in both. It may be emptied at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`problem` without what runs; `running` beside it, so that two outlooks on the same asks and nodes are equal."""

    problem: Problem
    running: tuple[Running, ...] = field(compare=False)
    kinds: tuple[Kind, ...]
    ways: Mapping[tuple[str, str], LiveWay] = field(compare=False, repr=False)
    """By service and the way's name in the problem."""

    def is_like(self, other: "Outlook") -> bool:
        """The same in all but how much is asked: a plan for the one can be carried out for the other."""
        mine, others = self.problem.services, other.problem.services
        return self.kinds == other.kinds and len(mine) == len(others) and all(map(_are_alike, mine, others))


def _are_alike(one: ServiceAsk, other: ServiceAsk) -> bool:
    return (
        (one.name, one.tenant, one.residency) == (other.name, other.tenant, other.residency)
        and len(one.ways) == len(other.ways)
        and all(
            way is like or (way.name, way.evidence) == (like.name, like.evidence)
            for way, like in zip(one.ways, other.ways, strict=True)
        )
    )


def outlook(
    view: FleetView,
    prices: Mapping[str, Price],
    reckoner: Reckoner,
    offers: Offers,
    barred: AbstractSet[Barred] = frozenset(),
) -> Outlook:
    """What there is to plan: ready nodes that take new work, and services that are not being deleted.

    What runs on nodes that are lost, or that take nothing new, is no part of it: what it carries is taken off the demand.
    What is `barred` is no way either, unless something runs by it.
    """
    while (found := outlook_within(view, prices, reckoner, offers, barred, answers_max=ANSWERS_ALL)) is None:
        continue
    return found


def outlook_within(
    view: FleetView,
    prices: Mapping[str, Price],
    reckoner: Reckoner,
    offers: Offers,
    barred: AbstractSet[Barred],
    *,
    answers_max: int,
) -> Outlook | None:
    """The same; None once more than so many answers had to be reckoned: they are remembered, so the next try gets further."""
    if len(offers) > OFFERS_MAX:
        offers.clear()
    there = kinds(view, reckoner.catalog)
    here = _replicas_by_service(view)
    by_node = _kinds_by_node(there)
    services = tuple(each for each in view.services if each.phase is not ServicePhase.DELETING)
    reckoned = _reckoned(view, services, there, reckoner, answers_max)
    if reckoned is None:
        return None
    nodes = {node.id: node for node in view.nodes}
    ways: dict[tuple[str, str], LiveWay] = {}
    asks: list[ServiceAsk] = []
    running: dict[tuple[str, str, str], int] = {}
    for service, answers in zip(services, reckoned, strict=True):
        demand = view.demand.get(service.name)
        mine: dict[str, Offer] = {}
        for kind, answer in zip(there, answers, strict=True):
            mine.update((offer.way.name, offer) for offer in _offers(kind, demand, answer, offers))
        inside, outside = _replicas(here.get(service.name, ()), nodes, by_node, mine)
        used = {way for _, (way, _) in inside}
        mine = dict(_roomiest(mine, used))
        mine = {name: offer for name, offer in mine.items() if (service.name, name) not in barred or name in used}
        ways.update(((service.name, name), offer.live) for name, offer in mine.items())
        needed_s = 0.0 if demand is None else demand.needed_before_s
        old = [mine[way].live for replica, (way, _) in inside if replica.created_s < needed_s]
        ask = _ask(service, demand, mine, old, len(inside), outside, prices)
        works = _parts(ask, mine, prices)
        asks.extend(works)
        inside.sort(key=lambda each: each[0].phase is not ReplicaPhase.READY)
        for number, (_, place) in enumerate(inside):
            key = (works[min(number, len(works) - 1)].name, *place)
            running[key] = running.get(key, 0) + 1
    return Outlook(
        problem=Problem(
            sites=_sites(view),
            pools=tuple(_pool(kind, prices) for kind in there),
            tenants=_tenants(view, services, there),
            services=tuple(asks),
            horizon_s=HORIZON_S,
        ),
        running=tuple(
            Running(work=work, way=way, pool=pool, count=count) for (work, way, pool), count in sorted(running.items())
        ),
        kinds=there,
        ways=ways,
    )


def _reckoned(
    view: FleetView, services: Sequence[Service], there: Sequence[Kind], reckoner: Reckoner, answers_max: int
) -> list[list[tuple[Reckoned, ...]]] | None:
    """Of each service, at each kind."""
    made = reckoner.made
    found: list[list[tuple[Reckoned, ...]]] = []
    for service in services:
        mine: list[tuple[Reckoned, ...]] = []
        for kind in there:
            mine.append(reckoner.at(service, kind.place, kind.nodes[0], view, is_rehearsed=kind.is_rehearsed))
            if reckoner.made - made >= answers_max:
                return None
        found.append(mine)
    return found


def way_key(recipe: Recipe) -> tuple[str, str, int]:
    """What is planned of a recipe; its size is settled where it is placed."""
    return recipe.engine, recipe.precision, recipe.devices


def _kinds_by_node(there: tuple[Kind, ...]) -> dict[tuple[NodeId, str], Kind]:
    return {(node, kind.chip): kind for kind in there for node in kind.nodes}


def _offers(kind: Kind, demand: Demand | None, reckoned: tuple[Reckoned, ...], known: Offers) -> tuple[Offer, ...]:
    """The ways there; those that were made before where nothing that they depend on has changed."""
    service_s = None if demand is None else demand.service_s
    is_shared = bool(kind.place.cores)
    key = id(reckoned), kind.name, is_shared, kind.place.device_bytes, kind.failed, service_s
    found = known.get(key)
    if found is None:
        made = (_offer(way, kind) for way in live_ways(kind, demand, reckoned))
        found = known[key] = reckoned, tuple(made)  # what is kept cannot have its id given to another
    return found[1]


def _offer(way: LiveWay, kind: Kind) -> Offer:
    evidence = Evidence.FAILED if way.is_failed else way.recipe.evidence
    name = f"{way.name}, {kind.name}"
    return Offer(live=way, way=Way(name=name, chip=kind.name, devices=way.units, rate=way.rate_rps, evidence=evidence))


def _roomiest(offers: Mapping[str, Offer], used: AbstractSet[str]) -> Iterator[tuple[str, Offer]]:
    """Those with the longest context that any has, and those in use: smaller sizes are for fleets that have no room for more."""
    ways = [(name, offer, offer.live) for name, offer in offers.items()]
    longest = max((way.recipe.context_tokens for _, _, way in ways if not way.is_failed), default=0)
    return (
        (name, offer)
        for name, offer, way in ways
        if way.recipe.context_tokens >= longest or way.is_failed or name in used
    )


def _replicas_by_service(view: FleetView) -> Mapping[ServiceName, list[Replica]]:
    found: dict[ServiceName, list[Replica]] = {}
    for replica in view.replicas:
        found.setdefault(replica.service, []).append(replica)
    return found


def _replicas(
    replicas: Sequence[Replica],
    nodes: Mapping[NodeId, Node],
    by_node: Mapping[tuple[NodeId, str], Kind],
    mine: Mapping[str, Offer],
) -> tuple[list[tuple[Replica, tuple[str, str]]], list[Replica]]:
    """Those that the plan decides of, each with its way and pool; and those that stay where nothing new may be placed."""
    if not replicas:
        return [], []
    names = {(way_key(offer.live.recipe), offer.way.chip): name for name, offer in mine.items()}
    inside: list[tuple[Replica, tuple[str, str]]] = []
    outside: list[Replica] = []
    for replica in replicas:
        if replica.phase in LEAVING:
            continue
        node, kind = nodes.get(replica.node), by_node.get((replica.node, replica.recipe.chip))
        if kind is None or not is_open(node, replica):
            if node is None or not any(node.empties(binding.device) for binding in replica.bindings):
                outside.append(replica)
            continue
        name = names.get((way_key(replica.recipe), kind.name))
        if name is not None:
            inside.append((replica, (name, kind.name)))
    return inside, outside


def _ask(  # noqa: PLR0917 - the parts of what is asked
    service: Service,
    demand: Demand | None,
    offers: Mapping[str, Offer],
    needed: list[LiveWay],
    standing: int,
    outside: list[Replica],
    prices: Mapping[str, Price],
) -> ServiceAsk:
    """What is asked of the nodes that are there, where `standing` replicas are; what the `needed` carry is asked at least."""
    rate = max(service.rate_rps or 0.0, demand.rate_rps if demand is not None else 0.0)
    serving = [each for each in outside if each.phase is ReplicaPhase.READY]
    carried = _carried(serving, offers, otherwise=rate / (len(outside) + standing) if outside else 0.0)
    least = max(service.min_replicas, int(demand is None or demand.is_wanted or bool(service.rate_rps)))
    rate = max(rate, sum(way.rate_rps or 0.0 for way in needed) * (1 - 1e-6))
    least = max(least, sum(1 for way in needed if way.rate_rps is None))
    return ServiceAsk(
        name=service.name,
        tenant=service.tenant,
        demand_rps=max(0.0, rate - carried),
        ways=tuple(offer.way for offer in offers.values()),
        min_replicas=max(0, min(least, service.max_replicas) - len(outside)),
        max_replicas=max(0, service.max_replicas - len(outside)),
        residency=frozenset(service.residency),
        start_micros=_start_micros(service, offers, prices),
    )


def _parts(ask: ServiceAsk, offers: Mapping[str, Offer], prices: Mapping[str, Price]) -> tuple[ServiceAsk, ...]:
    """Where nothing is known of demand the first replica is a work of its own, worth more than any service's second one."""
    if ask.demand_rps or ask.min_replicas < 2:
        return (ask,)
    dearest = max(_device_prices(offers, prices), default=0)
    first = replace(ask, min_replicas=1, max_replicas=1, value_micros=FIRST_TIMES * max(dearest, 1_000_000))
    more = replace(ask, name=f"{ask.name}{MORE}", min_replicas=ask.min_replicas - 1, max_replicas=ask.max_replicas - 1)
    return first, more


def service_of(work: str) -> ServiceName:
    """The service that a work of the programme stands for."""
    return ServiceName(work.removesuffix(MORE))


def _carried(serving: list[Replica], offers: Mapping[str, Offer], *, otherwise: float) -> float:
    """What those that are no part of the plan carry, in requests a second; `otherwise` each where nothing like it is offered."""
    rates = {(each.live.recipe.chip, *way_key(each.live.recipe)): each.live.rate_rps for each in offers.values()}
    found = (rates.get((each.recipe.chip, *way_key(each.recipe))) for each in serving)
    return sum(otherwise if rate is None else rate for rate in found)


def _start_micros(service: Service, offers: Mapping[str, Offer], prices: Mapping[str, Price]) -> int:
    """MOVE_TIMES what its devices cost while the engine and its weights load, which is taken as a hundredth of an hour at least."""
    weights = sum(file.size_bytes or 0 for file in service.model.weights.files)
    load_s = max(36.0, START_S + weights / LOAD_BYTES_PER_S)
    return int(MOVE_TIMES * min(_device_prices(offers, prices), default=0) * load_s / 3600) + 1


def _device_prices(offers: Mapping[str, Offer], prices: Mapping[str, Price]) -> list[int]:
    """What a replica's devices cost an hour, by each chip and number of them."""
    taken = {(each.live.recipe.chip, each.live.recipe.devices) for each in offers.values()}
    return [price_of(chip, prices) * devices for chip, devices in taken]


def price_of(chip: str, prices: Mapping[str, Price]) -> int:
    """Micros of a device-hour; the dearest known price where there is none: what nobody priced is not taken for cheap."""
    known = prices.get(chip)
    if known is not None:
        return known.micros_per_hour
    return max((price.micros_per_hour for price in prices.values()), default=1_000_000)


def _pool(kind: Kind, prices: Mapping[str, Price]) -> Pool:
    return Pool(
        name=kind.name,
        site=kind.site,
        chip=kind.name,
        node_devices=kind.units,
        nodes=len(kind.nodes),
        price_micros=0 if kind.place.cores else price_of(kind.chip, prices),
    )


def _sites(view: FleetView) -> tuple[Site, ...]:
    found: dict[str, Site] = {}
    for node in view.nodes:
        if node.phase is NodePhase.READY:
            found.setdefault(node.site, Site(name=node.site, region=node.region, tags=frozenset(node.tags)))
    return tuple(found.values())


def _tenants(view: FleetView, services: tuple[Service, ...], there: tuple[Kind, ...]) -> tuple[Tenant, ...]:
    """Those who ask, with what is known of them; guarantees by kinds of nodes."""
    known = {tenant.name: tenant for tenant in view.tenants}
    sites = {node.site for node in view.nodes if node.phase is NodePhase.READY}
    found: dict[str, Tenant] = {}
    for name in dict.fromkeys(service.tenant for service in services):
        tenant = known.get(name)
        if tenant is None:
            found[name] = Tenant(name=name)
            continue
        guarantees = (
            Guarantee(chips=_pools_of(each.chips, there), devices=each.devices, site=each.site)
            for each in tenant.guarantees
            if not each.site or each.site in sites
        )
        found[name] = Tenant(
            name=name,
            tier=tenant.tier,
            weight=tenant.weight,
            guarantees=tuple(each for each in guarantees if each.chips),
            budget_micros=tenant.budget_micros,
        )
    return tuple(found.values())


def _pools_of(chips: tuple[str, ...], there: tuple[Kind, ...]) -> frozenset[str]:
    return frozenset(kind.name for kind in there if kind.chip in chips)
