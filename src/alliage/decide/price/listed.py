"""Listed prices: what a device-hour of a chip costs before scarcity, and what tokens cost by it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog, Chip

MICROS: Final = 1_000_000
TOKENS_PRICED: Final = 1_000_000
"""Prices of tokens are told for this many."""
LIFE_HOURS: Final = 4 * 8760
"""Over which a purchase price is spread where nobody named a price of a device-hour: four years, idle hours among them."""

NOTHING: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of one device for an hour; `basis` says where it comes from."""

    micros_per_hour: int
    basis: str


def listed_prices(
    catalog: Catalog, named: Mapping[str, float], listed: Mapping[str, int] = NOTHING
) -> Mapping[str, Price]:
    """By chip: what is `listed` (micros a device-hour), else `named` by the settings (currency units), else the purchase price over its life."""
    prices = {chip.id: price for chip in catalog.chips.values() if (price := _purchase(chip)) is not None}
    told = {
        chip: Price(micros_per_hour=round(price * MICROS), basis="price of this installation")
        for chip, price in named.items()
    }
    by_list = {chip: Price(micros_per_hour=micros, basis="price list") for chip, micros in listed.items()}
    return {**prices, **told, **by_list}


def price_of_tokens(price: Price, *, devices: int, tps: float) -> int:
    """Micros of `TOKENS_PRICED` output tokens, where `devices` write `tps` tokens a second together."""
    return round(price.micros_per_hour * devices * TOKENS_PRICED / (tps * 3600))


def _purchase(chip: Chip) -> Price | None:
    """USD of one device, over its life, without power, housing or interest."""
    if not chip.price_usd.value:
        return None
    each = chip.price_usd.value / max(1, chip.dies)
    basis = "purchase price in USD over 4 years, without power"
    return Price(micros_per_hour=round(each * MICROS / LIFE_HOURS), basis=basis)
