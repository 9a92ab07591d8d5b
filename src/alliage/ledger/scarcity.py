"""Scarcity: how many times its list price a service's tokens cost. Factors are only ever added, each from a time on.

A factor is in millionths (`factor_ppm`), so that a price made by it is a whole number that both sides of a bill can
work out again. It multiplies whatever is listed at the time, so a price that an admin sets holds at once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alliage.errors import BadInput
from alliage.fleet.prices import TokenPrice
from alliage.ledger.money import divided

LIST_PPM: Final = 1_000_000
"""Once the list price."""
FACTOR_PPM_MAX: Final = 100 * LIST_PPM
POSTED_EVERY_S: Final = 600.0
"""A service's factor changes at most so often; that it goes is not put off."""
STEP_PARTS: Final = 20
"""A factor changes when it would by more than one part in so many (5 %)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Devices that serve, all of one chip at one site, with what one of them costs for an hour."""

    chip: str
    site: str
    count: int
    list_micros: int
    price_micros: int
    """With scarcity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One entry: of requests to `service` that began at `from_s` or later; before it the entry before it holds."""

    service: str
    from_s: float
    factor_ppm: int
    because: tuple[Devices, ...] = ()
    """The scarce ones of those that serve it; none where the list price holds again."""


NO_FACTORS: Final[Mapping[str, tuple[Factor, ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """All there have been: by service, by the time from which each holds, then in the order in which they were added."""

    by_service: Mapping[str, tuple[Factor, ...]] = field(default_factory=lambda: NO_FACTORS)

    def with_more(self, entries: Iterable[Factor]) -> "Factors":
        """These and `entries`, which were added after them."""
        found = dict(self.by_service)
        for entry in entries:
            mine = found.get(entry.service, ())
            at = bisect_right(mine, entry.from_s, key=_from_s)
            found[entry.service] = (*mine[:at], entry, *mine[at:])
        return Factors(by_service=found)

    def at(self, service: str, at_s: float) -> Factor | None:
        """The one that holds for a request that begins then; None where there was none yet."""
        mine = self.by_service.get(service, ())
        at = bisect_right(mine, at_s, key=_from_s)
        return mine[at - 1] if at else None

    def in_force(self, at_s: float) -> dict[str, Factor]:
        """By service, those that make a difference then."""
        found = ((service, self.at(service, at_s)) for service in sorted(self.by_service))
        return {service: each for service, each in found if each is not None and each.factor_ppm != LIST_PPM}


def factors_of(entries: Iterable[Factor]) -> Factors:
    """Of entries in the order in which they were added."""
    mine: dict[str, list[Factor]] = {}
    for entry in entries:
        mine.setdefault(entry.service, []).append(entry)
    return Factors(by_service={service: tuple(sorted(each, key=_from_s)) for service, each in mine.items()})


def factor_of(devices: Iterable[Devices]) -> int:
    """What devices cost with scarcity, over what they cost by the list; LIST_PPM where nothing of them has a list price.

    Of several chips and sites it is the ratio of the sums: each counts by what its devices cost.
    """
    listed = scarce = 0
    for each in devices:
        if each.list_micros > 0:
            listed += each.count * each.list_micros
            scarce += each.count * max(each.list_micros, each.price_micros)
    return divided(scarce * LIST_PPM, listed) if listed else LIST_PPM


def bounded(factor_ppm: int, max_ppm: int | None) -> int:
    """The factor by which is charged: never under the list price, nor over the most; the list price where there is no most."""
    return LIST_PPM if max_ppm is None else max(LIST_PPM, min(factor_ppm, max_ppm))


def scaled(price: TokenPrice, factor_ppm: int) -> TokenPrice:
    """The price times a factor, each part rounded half to even to a micro a million tokens."""
    if factor_ppm == LIST_PPM:
        return price
    return TokenPrice(
        prompt_micros=divided(price.prompt_micros * factor_ppm, LIST_PPM),
        cached_micros=divided(price.cached_micros * factor_ppm, LIST_PPM),
        output_micros=divided(price.output_micros * factor_ppm, LIST_PPM),
    )


def next_factor(last: Factor | None, in_force: Factor | None, wanted: Factor) -> Factor | None:
    """The entry to add, or None where what is in force stays.

    `last` is the newest of the service, whether or not it is in force; `wanted` is what the plan says now. The list
    price comes back at once; any other change waits POSTED_EVERY_S after the last one, and is over a part in STEP_PARTS.
    """
    now_ppm = LIST_PPM if in_force is None else in_force.factor_ppm
    if wanted.factor_ppm == now_ppm:
        return None
    if wanted.factor_ppm == LIST_PPM:
        return wanted
    if last is not None and 0 <= wanted.from_s - last.from_s < POSTED_EVERY_S:
        return None
    is_step = abs(wanted.factor_ppm - now_ppm) * STEP_PARTS > now_ppm
    return wanted if is_step else None


def check_scarcity_max(max_ppm: int | None) -> None:
    """Raises BadInput for a most that is under once or over FACTOR_PPM_MAX."""
    if max_ppm is not None and not LIST_PPM <= max_ppm <= FACTOR_PPM_MAX:
        raise BadInput(
            f"the most that scarcity makes of a price is {max_ppm} millionths of it",
            remedy=f"give 1 to {FACTOR_PPM_MAX // LIST_PPM} times the list price",
        )


def _from_s(entry: Factor) -> float:
    return entry.from_s
