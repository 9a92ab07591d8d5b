"""offers: ways of a service at kinds of nodes, and which of them are for a service that may rest. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog
from alliage.decide.aiming.kinds import Kind
from alliage.decide.aiming.live_ways import LiveWay
from alliage.decide.sleeping import can_sleep_at
from alliage.decide.solve.problem import Way
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.nodes import Node

SLEEP_WORTH: Final = 0.5
"""A way whose engine can sleep is taken for a service that may rest where it carries so much of what the best one does. A choice: what
is asked a quarter of the time is not worth a load each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A way of a service at a kind of nodes, as the fleet and as the programme know it."""

    live: LiveWay
    way: Way


def restful(
    offers: Mapping[str, Offer],
    used: AbstractSet[str],
    free: Mapping[str, int],
    places: Mapping[str, Node],
    catalog: Catalog,
) -> dict[str, Offer]:
    """Of a service that may rest: what can sleep and is in use already, or has room; and what is in use.

    All of them where nothing of that kind carries at least SLEEP_WORTH times as much a device as the best.
    """

    def worth(offer: Offer) -> float:
        return (offer.live.rate_rps or 0.0) / offer.way.devices

    kept = {
        name: offer
        for name, offer in offers.items()
        if not offer.live.is_failed
        and (name in used or free.get(offer.way.chip, 0) >= offer.way.devices)
        and can_sleep_at(offer.live.recipe, places[offer.way.chip], catalog)
    }
    best = max(map(worth, offers.values()), default=0.0)
    if not best or max(map(worth, kept.values()), default=0.0) < SLEEP_WORTH * best:
        return dict(offers)
    return {name: offer for name, offer in offers.items() if name in kept or name in used or offer.live.is_failed}


def at_first(offers: dict[str, Offer]) -> dict[str, Offer]:
    """Of a service that nobody asked yet the way that carries the most a device: asleep it costs nothing, and will do for a while."""
    known = [name for name, offer in offers.items() if offer.live.rate_rps and not offer.live.is_failed]
    if not known:
        return offers
    best = max(known, key=lambda name: (offers[name].live.rate_rps or 0.0) / offers[name].way.devices)
    return {best: offers[best]}


def free_devices(kind: Kind, nodes: Mapping[NodeId, Node], taken: AbstractSet[DeviceId]) -> int:
    """Of a kind, those that nobody awake has."""
    devices = (each for node in kind.nodes for each in nodes[node].devices)
    return sum(1 for each in devices if each.chip == kind.chip and each.id not in taken)
