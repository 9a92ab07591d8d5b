"""scarcity: what the plan's prices of devices make of the prices of tokens, and when that is posted."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final, Protocol

import structlog

from alliage.control.ports import Clock
from alliage.decide.aiming.aims import Aims
from alliage.decide.aiming.outlook import service_of
from alliage.decide.solve.answer import Plan
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.ledger.charging import Priced
from alliage.ledger.scarcity import LIST_PPM, Devices, Factor, Factors, bounded, factor_of, next_factor

_NONE: Final[tuple[Devices, ...]] = ()
_log = structlog.get_logger()


class Prices(Protocol):
    """Of the bookkeeper, what this needs."""

    def priced(self, service: Service) -> Priced | None:
        """What its tokens cost now; None where no price is listed."""
        ...

    def factors(self) -> Factors:
        """All factors there have been."""
        ...

    def post_factors(self, entries: tuple[Factor, ...]) -> "Future[None]":
        """Add some, beside the loop: they hold once the store has them, all or none."""
        ...


class Scarcity:
    """Posts factors as plans come; one write at a time, which the loop does not wait for. What is posted is in the store."""

    def __init__(self, prices: Prices, clock: Clock) -> None:
        self._prices = prices
        self._clock = clock
        self._posting: Future[None] | None = None

    def look(self, view: FleetView, aims: Aims | None) -> None:
        """By the newest plan. While there is none, as just after a start of control, what was posted stays."""
        if aims is None or not self._is_free():
            return
        entries = due_factors(view, aims, self._prices, self._clock.now_s())
        if entries:
            self._posting = self._prices.post_factors(entries)

    def _is_free(self) -> bool:
        """Whether the last write is done; one that failed is told, and done again if it is still due."""
        if self._posting is None:
            return True
        if not self._posting.done():
            return False
        error = self._posting.exception()
        self._posting = None
        if error is not None:
            _log.error("prices under scarcity could not be written; they stay as they are", error=repr(error))
        return True


def due_factors(view: FleetView, aims: Aims, prices: Prices, now_s: float) -> tuple[Factor, ...]:
    """The entries to add now, by service: of those that are here, and of those that are gone but had one."""
    factors = prices.factors()
    here: dict[str, Service] = {service.name: service for service in view.services}
    serving = serving_devices(aims)
    found: list[Factor] = []
    for name in sorted(here.keys() | factors.by_service.keys()):
        service = here.get(name)
        wanted = _wanted(name, service, serving.get(name, _NONE), prices, now_s)
        mine = factors.by_service.get(name, ())
        entry = next_factor(mine[-1] if mine else None, factors.at(name, now_s), wanted)
        if entry is not None:
            found.append(entry)
    return tuple(found)


def serving_devices(aims: Aims) -> Mapping[str, tuple[Devices, ...]]:
    """By service, the devices that the plan gives it, with their prices; empty where the plan knows no prices."""
    plan = aims.plan
    if not isinstance(plan, Plan) or not plan.prices:
        return {}
    kinds = {kind.name: kind for kind in aims.outlook.kinds}
    prices = {price.pool: price for price in plan.prices}
    counts: dict[tuple[str, str], int] = {}
    for each in plan.replicas:
        key = service_of(each.work), each.pool
        counts[key] = counts.get(key, 0) + each.count * each.devices
    found: dict[str, tuple[Devices, ...]] = {}
    for (service, pool), count in counts.items():
        devices = Devices(
            chip=kinds[pool].chip,
            site=kinds[pool].site,
            count=count,
            list_micros=prices[pool].list_micros,
            price_micros=prices[pool].price_micros,
        )
        found[service] = (*found.get(service, ()), devices)
    return found


def _wanted(name: str, service: Service | None, devices: tuple[Devices, ...], prices: Prices, now_s: float) -> Factor:
    """What would hold of a service from now on, if it held at once."""
    priced = None if service is None else prices.priced(service)
    factor_ppm = LIST_PPM
    if priced is not None:
        factor_ppm = bounded(factor_of(devices), priced.listed.scarcity_max_ppm)
    scarce = tuple(each for each in devices if 0 < each.list_micros < each.price_micros)
    return Factor(
        service=name, from_s=now_s, factor_ppm=factor_ppm, because=scarce if factor_ppm != LIST_PPM else _NONE
    )
