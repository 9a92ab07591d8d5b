"""Price lists: entries that are only ever added, each from a time on; which one holds for a request.

A pattern is the name of a service or of a model, in which `*` stands for anything. Of those that fit, a whole name goes
before a pattern, a longer pattern before a shorter one, and a service's name before its model's.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from alliage.errors import BadInput, NotFound
from alliage.fleet.prices import TokenPrice
from alliage.ledger.listing import ends_of, in_force
from alliage.ledger.scarcity import check_scarcity_max

PRICE_MICROS_MAX: Final = 10**12
"""Of a million tokens: a million of the currency."""
FROM_S_MAX: Final = 1e11
_STARS_MAX: Final = 3
_PATTERN: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._:/@*-]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPrice:
    """One entry of the price list. `price` is None where it ends what was listed for the pattern before."""

    pattern: str
    from_s: float
    """Requests that began then or later; before it the entry before it holds."""
    price: TokenPrice | None
    who: str
    """The name of the key that set it."""
    set_s: float
    scarcity_max_ppm: int | None = None
    """The most that scarcity makes of the price, in millionths of it; None: scarcity changes nothing."""

    @property
    def name(self) -> str:
        """Of what it is the price."""
        return self.pattern

    @property
    def is_end(self) -> bool:
        """Whether it only ends what was listed before."""
        return self.price is None


PriceList = Sequence[ListedPrice]
"""In the order in which they were set."""


def entry_for(entries: Iterable[ListedPrice], *, service: str, model: str) -> ListedPrice | None:
    """Of entries that are in force, the one for a service that serves a model; None where nothing is listed."""
    best: tuple[tuple[bool, int, bool, str], ListedPrice] | None = None
    for entry in entries:
        by_service = _fits(entry.pattern, service)
        if entry.price is None or not (by_service or _fits(entry.pattern, model)):
            continue
        literal = len(entry.pattern.replace("*", ""))
        rank = ("*" not in entry.pattern, literal, by_service, entry.pattern)
        if best is None or rank > best[0]:
            best = (rank, entry)
    return None if best is None else best[1]


def listed(
    pattern: str,
    price: TokenPrice,
    *,
    from_s: float | None,
    who: str,
    now_s: float,
    scarcity_max_ppm: int | None = None,
) -> ListedPrice:
    """A new entry, from now on or from a later time; raises BadInput."""
    if _PATTERN.fullmatch(pattern) is None or pattern.count("*") > _STARS_MAX:
        raise BadInput(
            f"{pattern!r} can be no name of a service or model",
            remedy=f"write a name, in which `*` (at most {_STARS_MAX}) stands for anything, such as qwen3-*",
        )
    for name in ("prompt_micros", "cached_micros", "output_micros"):
        micros = getattr(price, name)
        if not 0 <= micros <= PRICE_MICROS_MAX:
            raise BadInput(f"{name} is {micros}", remedy=f"give 0 to {PRICE_MICROS_MAX} micros a million tokens")
    check_scarcity_max(scarcity_max_ppm)
    return ListedPrice(
        pattern=pattern,
        from_s=start_of(from_s, now_s),
        price=price,
        who=who,
        set_s=now_s,
        scarcity_max_ppm=scarcity_max_ppm,
    )


def start_of(from_s: float | None, now_s: float) -> float:
    """From when an entry holds: now, or a later time; raises BadInput."""
    if from_s is None:
        return now_s
    if not from_s <= FROM_S_MAX:
        raise BadInput(f"the price would hold from {from_s}", remedy="give seconds since 1970")
    if from_s < now_s:
        raise BadInput(
            f"the price would hold from {from_s:.0f}, which is past: what was charged since stays charged",
            remedy="leave the time out (from now on), or correct single charges (alliage usage correct)",
        )
    return from_s


def dropped(pattern: str, prices: PriceList, *, who: str, now_s: float) -> tuple[ListedPrice, ...]:
    """The entries that end a pattern's price now, and those that were to come; raises NotFound where there is none."""
    ends_s = ends_of(prices, pattern, now_s)
    if not ends_s:
        known = ", ".join(sorted(in_force(prices, now_s))) or "none"
        raise NotFound(f"no price is listed for {pattern!r}", remedy=f"listed: {known}")
    return tuple(ListedPrice(pattern=pattern, from_s=from_s, price=None, who=who, set_s=now_s) for from_s in ends_s)


def _fits(pattern: str, name: str) -> bool:
    return bool(name) and _expression(pattern).fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
