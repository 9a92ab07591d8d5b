"""What the clients of a storm asked for and saw: the other side of the books."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from alliage.fleet.prices import TokenPrice

PROMPT_TOKENS: Final = 7
CACHED_TOKENS: Final = 3
"""Of the prompt, as engines tell with whole answers."""
PRICE: Final = TokenPrice(prompt_micros=500_000, cached_micros=100_000, output_micros=1_250_000)
"""Fractions of a micro in nearly every charge, and in many an exact half: to be rounded to even."""
TENANTS: Final = ("acme", "beta")


class Kind(StrEnum):
    """What a client does, and what befalls its engine."""

    STREAM = "stream"
    WHOLE = "whole"
    LEAVES = "leaves"
    """A stream whose client goes in the middle."""
    DIES = "dies"
    """A stream whose first engine breaks it off."""
    SILENT = "silent"
    """A stream whose engine tells no usage."""
    SLOW = "slow"
    """A stream that takes longer than a progress interval."""


class Saw(StrEnum):
    """How it ended for the client."""

    COMPLETE = "complete"
    CUT = "cut"
    """The connection broke: its gateway was killed."""
    LEFT = "left"
    REFUSED = "refused"
    BROKEN = "broken"
    """It ended with an error event."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request; tokens are letters. Times are those of the storm's clock."""

    id: str
    tenant: str
    kind: Kind
    tokens: int
    saw: Saw = Saw.CUT
    status: int = 0
    reached: bool = False
    """An engine had it."""
    produced: int = 0
    """Tokens that engines had sent of it."""
    seen_s: list[float] = field(default_factory=list)
    """When each token was seen."""
    ended_s: float = 0.0
