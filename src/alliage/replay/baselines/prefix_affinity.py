"""Baseline: pure prefix affinity. Prompts that begin alike go to one replica, whatever waits there.

Rendezvous hashing of a prompt's first blocks (Thaler, Ravishankar, IEEE/ACM ToN 1998).
"""

import hashlib
from typing import Final

from alliage.replay.router import Seen

_BLOCKS: Final = 2
"""So many first blocks are hashed; the very first one may be a system prompt that all share."""


class PrefixAffinity:
    """A router that keeps conversations together and is blind to load and speed."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def choose(self, request: Seen, _now_s: float) -> int:
        """The same for all prompts whose first blocks are the same; without blocks each request is one of its own."""
        name = request.blocks[:_BLOCKS] or ("request", request.key)
        return max(range(self._replicas), key=lambda at: _score(name, at))

    def began(self, key: int, replica: int, now_s: float) -> None:
        """It does not matter here."""

    def ended(self, key: int, replica: int, now_s: float, output_tokens: int) -> None:
        """Nor does this."""


def _score(name: tuple[object, ...], replica: int) -> bytes:
    return hashlib.blake2b(f"{name} {replica}".encode(), digest_size=8).digest()
