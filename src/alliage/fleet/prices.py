"""What tokens cost. Money is in micros: millionths of the installation's one currency."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """Micros a million tokens. `cached_micros` is for tokens of a prompt that the engine held already."""

    prompt_micros: int = 0
    cached_micros: int = 0
    output_micros: int = 0


FREE: Final = TokenPrice()
