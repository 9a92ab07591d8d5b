"""What the admin API accepts about charges and prices. As `bodies`."""

from typing import Annotated

from pydantic import Field

from alliage.faces.admin.bodies import Body
from alliage.fleet.prices import TokenPrice

Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class CorrectionBody(Body):
    """What one record is to cost after all, and why. The charge stays, an entry against it is added."""

    to_micros: int
    """What the request costs from now on; 0 takes the charge back whole."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    dry_run: bool = False
    """Check and tell, change nothing."""


class PriceBody(Body):
    """What a million tokens cost of services and models whose name fits."""

    pattern: Pattern
    """A service's or model's name; `*` stands for anything."""
    prompt_micros: int
    output_micros: int
    cached_micros: int | None = None
    """Of a prompt's tokens that the engine held already; as `prompt_micros` when left out."""
    scarcity_max_ppm: int | None = None
    """The most that scarcity makes of the price, in millionths of it; when left out scarcity changes nothing."""
    from_s: float | None = None
    """Of requests that begin then or later, seconds since 1970; from now on when left out."""
    dry_run: bool = False
    """Check and tell, change nothing."""


class DevicePriceBody(Body):
    """What a device of a chip costs for an hour."""

    chip: Annotated[str, Field(min_length=1, max_length=200)]
    """Its id in the catalogue."""
    micros_per_hour: int
    from_s: float | None = None
    """Seconds since 1970; from now on when left out."""
    dry_run: bool = False
    """Check and tell, change nothing."""


def price_of(body: PriceBody) -> TokenPrice:
    """The price that a body stands for."""
    cached = body.prompt_micros if body.cached_micros is None else body.cached_micros
    return TokenPrice(prompt_micros=body.prompt_micros, cached_micros=cached, output_micros=body.output_micros)
