"""A usage record and the prices -> what it is charged, and to whose spending that counts."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Final

from alliage.fleet.charges import charge_micros
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.limits import Scope, key_scope, project_scope, tenant_scope
from alliage.fleet.prices import TokenPrice
from alliage.fleet.usage import Origin, UsageRecord
from alliage.ledger.listing import in_force
from alliage.ledger.periods import day_of
from alliage.ledger.pricing import ListedPrice, PriceList, entry_for
from alliage.ledger.scarcity import LIST_PPM, Factors, bounded, scaled

TOKENS_MAX: Final = 10**9
"""Of one request; who tells more tells nonsense, and is taken to have told this."""
_SECONDS_MAX: Final = 1e11
_TEXT_MAX: Final = 500
_STATUS_MAX: Final = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A line of the ledger: a record, and what it costs. `price` is None where no price was listed: then it costs 0."""

    record: UsageRecord
    price: TokenPrice | None
    """With scarcity."""
    micros: int
    scarcity_micros: int = 0
    """Of `micros`, what it costs more than by the list price."""

    @property
    def day(self) -> int:
        """That it counts to: of the request's beginning, days since 1970."""
        return day_of(self.record.began_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What a request's tokens cost: by the list, times a factor for scarcity (millionths)."""

    listed: ListedPrice
    list_price: TokenPrice
    factor_ppm: int
    price: TokenPrice


class Pricing:
    """A price list, asked for many requests: what is in force is looked up once for each stretch between two entries."""

    def __init__(self, prices: PriceList, factors: Factors | None = None) -> None:
        self.prices = tuple(prices)
        self.factors = Factors() if factors is None else factors
        self._begins_s = sorted({entry.from_s for entry in self.prices})
        self._known: dict[tuple[int, str, str], ListedPrice | None] = {}

    def priced(self, *, service: str, model: str, at_s: float) -> Priced | None:
        """What a request that begins then costs; None where no price is listed."""
        asked = (bisect_right(self._begins_s, at_s), service, model)
        if asked not in self._known:
            self._known[asked] = entry_for(in_force(self.prices, at_s).values(), service=service, model=model)
        entry = self._known[asked]
        if entry is None or entry.price is None:
            return None
        factor = self.factors.at(service, at_s)
        factor_ppm = LIST_PPM if factor is None else bounded(factor.factor_ppm, entry.scarcity_max_ppm)
        price = scaled(entry.price, factor_ppm)
        return Priced(listed=entry, list_price=entry.price, factor_ppm=factor_ppm, price=price)

    def price(self, *, service: str, model: str, at_s: float) -> TokenPrice | None:
        """The price of a request that begins then, with scarcity; None where none is listed."""
        found = self.priced(service=service, model=model, at_s=at_s)
        return None if found is None else found.price


def charged(record: UsageRecord, pricing: Pricing) -> Charge:
    """What a record costs by the price at its beginning, rounded half to even once."""
    record = believable(record)
    priced = pricing.priced(service=record.service, model=record.origin.model, at_s=record.began_s)
    if priced is None:
        return Charge(record=record, price=None, micros=0)
    micros = _micros(record, priced.price)
    scarcity_micros = 0 if priced.factor_ppm == LIST_PPM else micros - _micros(record, priced.list_price)
    return Charge(record=record, price=priced.price, micros=micros, scarcity_micros=scarcity_micros)


def _micros(record: UsageRecord, price: TokenPrice) -> int:
    return charge_micros(price, prompt=record.prompt_tokens, cached=record.cached_tokens, output=record.output_tokens)


def believable(record: UsageRecord) -> UsageRecord:
    """The record as a database can hold it and a sum can stand it.

    Engines and clients say what they like, and one record that cannot be taken would keep its journal for ever: tokens
    are put between 0 and TOKENS_MAX, the cached ones among the prompt's, and texts lose what is no letter.
    """
    if _is_believable(record):
        return record
    prompt = _within(record.prompt_tokens)
    return replace(
        record,
        id=_plain(record.id),
        request=_plain(record.request),
        tenant=_plain(record.tenant),
        project=_plain(record.project),
        key=KeyId(_plain(record.key)),
        service=ServiceName(_plain(record.service)),
        endpoint=_plain(record.endpoint),
        replica=ReplicaId(_plain(record.replica)),
        origin=Origin(**{field.name: _plain(getattr(record.origin, field.name)) for field in fields(Origin)}),
        began_s=_seconds(record.began_s),
        duration_s=_seconds(record.duration_s),
        ttft_s=None if record.ttft_s is None else _seconds(record.ttft_s),
        tpot_s=None if record.tpot_s is None else _seconds(record.tpot_s),
        prompt_tokens=prompt,
        cached_tokens=min(_within(record.cached_tokens), prompt),
        output_tokens=_within(record.output_tokens),
        status=max(0, min(record.status, _STATUS_MAX)),
    )


def scopes_of(record: UsageRecord) -> tuple[Scope, ...]:
    """To whose spending it counts: its tenant's, its project's if it has one, its key's."""
    project = (project_scope(record.tenant, record.project),) if record.project else ()
    return (tenant_scope(record.tenant), *project, key_scope(record.key))


def spending(charges: Iterable[Charge]) -> Mapping[tuple[Scope, int], int]:
    """Micros by scope and day, without zeros."""
    sums: Counter[tuple[Scope, int]] = Counter()
    for charge in charges:
        if charge.micros:
            for scope in scopes_of(charge.record):
                sums[scope, charge.day] += charge.micros
    return sums


def _is_believable(record: UsageRecord) -> bool:
    """Whether nothing of it has to be changed: so it is with nearly all, and looking is ten times quicker than making anew."""
    origin = record.origin
    texts = (
        *(record.id, record.request, record.tenant, record.project, record.key, record.service, record.endpoint),
        *(record.replica, origin.model, origin.recipe, origin.engine, origin.chip, origin.site),
    )
    together = "".join(texts)
    times_s = (record.began_s, record.duration_s, record.ttft_s or 0.0, record.tpot_s or 0.0)
    return (
        len(together) <= _TEXT_MAX
        and together.isprintable()
        and 0 <= record.cached_tokens <= record.prompt_tokens <= TOKENS_MAX
        and 0 <= record.output_tokens <= TOKENS_MAX
        and 0 <= record.status <= _STATUS_MAX
        and all(0.0 <= time_s <= _SECONDS_MAX for time_s in times_s)
    )


def _within(tokens: int) -> int:
    return max(0, min(tokens, TOKENS_MAX))


def _seconds(value_s: float) -> float:
    return max(0.0, min(value_s, _SECONDS_MAX)) if isfinite(value_s) else 0.0


def _plain(text: str) -> str:
    if len(text) > _TEXT_MAX:
        text = text[:_TEXT_MAX]
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)
