"""What a request's tokens cost. Apart from the prices, because it is compiled: they come over the line."""

from typing import Final

from alliage.fleet.prices import TokenPrice

_MILLION: Final = 1_000_000


def charge_micros(price: TokenPrice, *, prompt: int, cached: int, output: int) -> int:
    """What a request costs, rounded half to even once; `cached` tokens are among the `prompt` ones."""
    whole = (prompt - cached) * price.prompt_micros + cached * price.cached_micros + output * price.output_micros
    micros = whole // _MILLION
    twice = (whole - micros * _MILLION) * 2
    return micros + 1 if twice > _MILLION or (twice == _MILLION and micros % 2 == 1) else micros
