"""Statements: lines, and a total that is their sum and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from alliage.ledger.charging import Charge
from alliage.ledger.correcting import Correction
from alliage.ledger.periods import Month


class By(StrEnum):
    """What a line of usage is of."""

    TENANT = "tenant"
    PROJECT = "project"
    KEY = "key"
    SERVICE = "service"
    MODEL = "model"
    DAY = "day"
    CHIP = "chip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of some charges and corrections: all whole numbers, so sums are exact in any order."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompts'."""
    output_tokens: int = 0
    estimated: int = 0
    """Requests whose tokens were counted, since the engine did not tell them."""
    unpriced: int = 0
    """Requests for which no price was listed: they cost nothing."""
    charged_micros: int = 0
    scarcity_micros: int = 0
    """Of `charged_micros`, what requests cost more than by the list price."""
    corrected_micros: int = 0
    """Corrections that were made in the time asked for, of whatever time the charge is."""

    @property
    def total_micros(self) -> int:
        """What is to be paid."""
        return self.charged_micros + self.corrected_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The sums of one name: of a tenant, project, key, service, model or chip, or a day (`2026-11-26`)."""

    name: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Sums of a month by something, sorted by name. `tenant` is "" for all."""

    tenant: str
    month: Month
    by: By
    currency: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Sums:
        """The sum of the lines."""
        return added(line.sums for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What one service with one model cost in the month, without corrections."""

    service: str
    model: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A tenant's month: requests that began in it, and corrections that were made in it, each on a line of its own."""

    tenant: str
    month: Month
    currency: str
    lines: tuple[BillLine, ...]
    corrections: tuple[Correction, ...]

    @property
    def total(self) -> Sums:
        """The sum of the lines and of the corrections."""
        corrected = Sums(corrected_micros=sum(each.micros for each in self.corrections))
        return added((*(line.sums for line in self.lines), corrected))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Account:
    """What charges are summed by: of one day (since 1970), what a line of usage or of a bill may be of."""

    tenant: str
    day: int
    project: str
    key: str
    service: str
    model: str
    chip: str


def account_of(charge: Charge) -> Account:
    """The account to which a charge counts."""
    record = charge.record
    return Account(
        tenant=record.tenant,
        day=charge.day,
        project=record.project,
        key=record.key,
        service=record.service,
        model=record.origin.model,
        chip=record.origin.chip,
    )


def sums_of(charge: Charge) -> Sums:
    """One charge as sums."""
    return Sums(
        requests=1,
        prompt_tokens=charge.record.prompt_tokens,
        cached_tokens=charge.record.cached_tokens,
        output_tokens=charge.record.output_tokens,
        estimated=int(charge.record.is_estimated),
        unpriced=int(charge.price is None),
        charged_micros=charge.micros,
        scarcity_micros=charge.scarcity_micros,
    )


def summed(charges: Iterable[Charge]) -> Mapping[Account, Sums]:
    """The sums of some charges by account."""
    parts: dict[Account, list[Sums]] = {}
    for charge in charges:
        parts.setdefault(account_of(charge), []).append(sums_of(charge))
    return {account: added(mine) for account, mine in parts.items()}


def added(parts: Iterable[Sums]) -> Sums:
    """The sum, field by field."""
    taken = tuple(parts)
    return Sums(**{field.name: sum(getattr(part, field.name) for part in taken) for field in fields(Sums)})
