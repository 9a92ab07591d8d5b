"""Limits -> each gateway process's lease of them, by what it was asked lately. Pure.

* Each gets a share of `FLOOR` for nothing, so that one without traffic can begin at once, and of the rest by its demand.
* Rates: the leases that were sent last sum to the limit at most.
* Requests in work, and money: so do all that a gateway may still obey, with what it has beyond them. So one is raised only when
  another said that it obeys a lower one. Money's lease is cumulative: a gateway's own sum may grow to there.
* A gateway that control lost sight of has no part in the sums: what is used beyond a limit is at most what such gateways had leased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp
from typing import Final

from alliage.control.spending import Left
from alliage.fleet.limits import Lease, Limits, Scope, Use

FLOOR: Final = 0.2
"""Of a limit, shared evenly."""
_MEMORY_S: Final = 20.0
"""Demand longer ago than this counts for little."""
_MOVED: Final = 0.05
"""Leases are left alone while none should change by more than this share of the limit."""
_TRACE: Final = 1e-6
"""Less demand than this, in requests or tokens, is none."""
_NO_USE: Final = Use()
_NO_LEASE: Final = Lease()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one gateway was lately asked of a scope, refused requests too; only their proportion to others' means something."""

    requests: float = 0.0
    tokens: float = 0.0


_NOTHING: Final = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One gateway process. `sent` is the newest lease, `open` are all that it may obey now: the last one that it told of, and later ones."""

    use: Mapping[Scope, Use] = field(default_factory=dict)
    wanted: Mapping[Scope, Wanted] = field(default_factory=dict)
    heard_s: float = 0.0
    sent: Mapping[Scope, Lease] = field(default_factory=dict)
    open: tuple[Mapping[Scope, Lease], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """The leases of each gateway, whole. `is_short`: somebody is to get more once others have said that they obey less."""

    leases: Mapping[str, Mapping[Scope, Lease]]
    is_short: bool


def heard(party: Party, use: Mapping[Scope, Use], now_s: float) -> Party:
    """The gateway with what it told just now."""
    kept = exp(-max(0.0, now_s - party.heard_s) / _MEMORY_S)
    wanted = {scope: _wanted(party, scope, new, kept) for scope, new in use.items()}
    return replace(party, use=use, wanted=wanted, heard_s=now_s)


def _wanted(party: Party, scope: Scope, new: Use, kept: float) -> Wanted:
    old, before = party.use.get(scope, _NO_USE), party.wanted.get(scope, _NOTHING)
    if new.requests < old.requests:
        old = _NO_USE
    served = new.requests - old.requests
    asked = served + max(0, new.refused - old.refused)
    tokens = max(0, new.tokens - old.tokens) * asked / max(1, served)
    return Wanted(requests=before.requests * kept + asked, tokens=before.tokens * kept + tokens)


def shares(weights: Sequence[float]) -> list[float]:
    """Of one whole: `FLOOR` of it evenly, the rest by weight; all of it evenly where nobody has any."""
    number, total = len(weights), sum(weights)
    if total < _TRACE:
        return [1.0 / number] * number
    return [FLOOR / number + (1.0 - FLOOR) * weight / total for weight in weights]


def deal(limits: Mapping[Scope, Limits], left: Mapping[Scope, Left], parties: Mapping[str, Party]) -> Dealt:
    """Everybody's lease of every limit that there is a lease of; `left` is what is left of money."""
    names = sorted(parties)
    leases: dict[str, dict[Scope, Lease]] = {name: {} for name in names}
    is_short = False
    if not names:
        return Dealt(leases=leases, is_short=False)
    for scope, limit in limits.items():
        money = left.get(scope)
        if money is None and (limit.requests_per_minute, limit.tokens_per_minute, limit.parallel) == (None, None, None):
            continue
        there = [parties[name] for name in names]
        wanted = [party.wanted.get(scope, _NOTHING) for party in there]
        requests = shares([each.requests for each in wanted])
        tokens = shares([each.tokens for each in wanted])
        sent = [party.sent.get(scope, _NO_LEASE) for party in there]
        rates = _rates(limit.requests_per_minute, requests, [each.requests_per_minute for each in sent])
        token_rates = _rates(limit.tokens_per_minute, tokens, [each.tokens_per_minute for each in sent])
        slots, short_of_slots = _parallel(limit.parallel, requests, there, scope)
        spend_until, short_of_money = _money(
            money, tokens if any(each.tokens for each in wanted) else requests, there, scope
        )
        is_short = is_short or short_of_slots or short_of_money
        for index, name in enumerate(names):
            leases[name][scope] = Lease(
                requests_per_minute=rates[index],
                tokens_per_minute=token_rates[index],
                parallel=slots[index],
                spend_until_micros=spend_until[index],
                limit="" if money is None else money.limit,
                resets_s=0.0 if money is None else money.resets_s,
            )
    return Dealt(leases=leases, is_short=is_short)


def _rates(limit: int | None, parts: Sequence[float], sent: Sequence[float | None]) -> Sequence[float | None]:
    if limit is None:
        return [None] * len(parts)
    new = [limit * part for part in parts]
    old = [rate for rate in sent if rate is not None]
    is_whole = len(old) == len(new) and abs(sum(old) - limit) <= 1e-9 * limit
    if is_whole and max(abs(a - b) for a, b in zip(new, old, strict=True)) <= _MOVED * limit:
        return old
    return new


def _parallel(
    limit: int | None, parts: Sequence[float], parties: Sequence[Party], scope: Scope
) -> tuple[Sequence[int | None], bool]:
    if limit is None:
        return [None] * len(parts), False
    had = [party.sent.get(scope, _NO_LEASE).parallel or 0 for party in parties]
    held = [
        max([had[i], _running(party, scope), *(each.get(scope, _NO_LEASE).parallel or 0 for each in party.open)])
        for i, party in enumerate(parties)
    ]
    wanted = whole_parts(limit, parts)
    if sum(had) == limit and max(abs(a - b) for a, b in zip(wanted, had, strict=True)) <= limit * _MOVED:
        wanted = had
    return _within(wanted, had, held, limit)


def _running(party: Party, scope: Scope) -> int:
    return party.use.get(scope, _NO_USE).parallel


def _money(
    left: Left | None, parts: Sequence[float], parties: Sequence[Party], scope: Scope
) -> tuple[Sequence[int | None], bool]:
    if left is None:
        return [None] * len(parts), False
    used = [party.use.get(scope, _NO_USE).micros for party in parties]
    had = [
        max(0, (party.sent.get(scope, _NO_LEASE).spend_until_micros or 0) - used[i]) for i, party in enumerate(parties)
    ]
    held = [
        max([had[i], *((each.get(scope, _NO_LEASE).spend_until_micros or 0) - used[i] for each in party.open)])
        for i, party in enumerate(parties)
    ]
    wanted = whole_parts(left.micros, parts)
    if sum(had) <= left.micros and max(abs(a - b) for a, b in zip(wanted, had, strict=True)) <= left.micros * _MOVED:
        wanted = had
    given, is_short = _within(wanted, had, held, left.micros)
    return [used[i] + each for i, each in enumerate(given)], is_short


def _within(wanted: Sequence[int], had: Sequence[int], held: Sequence[int], whole: int) -> tuple[list[int], bool]:
    """Less at once, more as far as there is room beyond what all hold, in turn; whether somebody got less than he should."""
    given: list[int] = []
    room = whole - sum(held)
    for want, has, holds in zip(wanted, had, held, strict=True):
        more = max(0, min(want - has, holds - has + max(0, room)))
        room -= max(0, has + more - holds)
        given.append(has + more if want > has else want)
    return given, any(a < b for a, b in zip(given, wanted, strict=True))


def whole_parts(whole: int, parts: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `whole`, near their parts of it, and none zero where it can be helped."""
    if whole < len(parts):
        order = sorted(range(len(parts)), key=lambda i: (-parts[i], i))
        return [1 if i in order[:whole] else 0 for i in range(len(parts))]
    spare = whole - len(parts)
    found = [1 + int(spare * part) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: (int(spare * parts[i]) - spare * parts[i], i))
    for i in order[: whole - sum(found)]:
        found[i] += 1
    return found
