"""What tokens cost. Money is in micros: millionths of the installation's one currency."""

from dataclasses import dataclass
from typing import Final

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """Micros a million tokens. `cached_micros` is for tokens of a prompt that the engine held already."""

    prompt_micros: int = 0
    cached_micros: int = 0
    output_micros: int = 0


FREE: Final = TokenPrice()


def charge_micros(price: TokenPrice, *, prompt: int, cached: int, output: int) -> int:
    """What a request costs, rounded half to even once; `cached` tokens are among the `prompt` ones."""
    whole = (prompt - cached) * price.prompt_micros + cached * price.cached_micros + output * price.output_micros
    micros, rest = divmod(whole, _MILLION)
    return micros + (rest * 2 > _MILLION or (rest * 2 == _MILLION and micros % 2 == 1))
