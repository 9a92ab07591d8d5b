"""Who sends wrong keys is answered later and later. By address, in bounded memory, on a clock that is given.

A right key is let in from wherever it comes: behind one address may be a whole house, of which one tries keys. It would
take no harm from it: a key has 256 random bits, and the one that is looked up is the hash of what was sent, which nobody
can steer, so neither the answer's time nor its number brings a guesser nearer. What is spared is noise and work.
"""

from typing import Final

from alliage.gateway import problems
from alliage.gateway.problems import Problem

FREE: Final = 10
"""Wrong keys of an address that get a plain 401."""
WAIT_S_MAX: Final = 300
FORGET_S: Final = 900.0
"""An address that sent none for so long begins anew."""
ADDRESSES_MAX: Final = 4096
"""Above, the one that was not heard of for the longest time is forgotten."""


class _Misses:
    __slots__ = ("last_s", "number", "until_s")

    def __init__(self) -> None:
        self.number = 0
        self.last_s = 0.0
        self.until_s = 0.0


class Guessing:
    """Wrong keys by address."""

    __slots__ = ("_by_address",)

    def __init__(self) -> None:
        self._by_address: dict[str, _Misses] = {}

    def __len__(self) -> int:
        """Addresses that are known."""
        return len(self._by_address)

    def answer(self, address: str, now_s: float, refusal: Problem) -> Problem:
        """To a wrong key: `refusal`, or from the eleventh on a 429 whose wait doubles up to five minutes.

        `now_s` is of a clock that never goes back. A key sent while the wait runs does not make it longer.
        """
        name = group(address)
        misses = self._by_address.pop(name, None)
        if misses is None or now_s - misses.last_s > FORGET_S:
            misses = _Misses()
            if len(self._by_address) >= ADDRESSES_MAX:
                del self._by_address[next(iter(self._by_address))]
        self._by_address[name] = misses
        misses.last_s = now_s
        if now_s < misses.until_s:
            return problems.too_many_wrong_keys(misses.until_s - now_s)
        misses.number += 1
        if misses.number <= FREE:
            return refusal
        wait_s: float = min(WAIT_S_MAX, 1 << min(misses.number - FREE - 1, 16))
        misses.until_s = now_s + wait_s
        return problems.too_many_wrong_keys(wait_s)


def group(address: str) -> str:
    """Who is counted together: an IPv4 address, also one written in IPv6's way, or the 64 bits that one IPv6 house has."""
    if ":" not in address:
        return address
    bare = address.partition("%")[0]
    if "." in bare:
        return bare.rpartition(":")[2]
    head, gap, tail = bare.partition("::")
    parts = head.split(":") if head else []
    if gap:
        rest = tail.split(":") if tail else []
        parts += ["0"] * (8 - len(parts) - len(rest)) + rest
    return ":".join(parts[:4])
