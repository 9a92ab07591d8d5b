"""Corrections: a charge is never changed, an entry against it is added, which says why and by whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alliage.errors import BadInput, Conflict
from alliage.ledger.charging import Charge

REASON_MAX: Final = 500
MICROS_MAX: Final = 10**18
"""A million million of the currency: what a correction may set a charge to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A counter-entry. It stands in the month in which it is made; a statement that was sent stays as it was."""

    charge: str
    """The id of the record whose charge it corrects."""
    micros: int
    """Added to what was charged: below zero for a credit."""
    reason: str
    who: str
    """The name of the key that made it."""
    made_s: float


def net_micros(charge: Charge, corrections: Iterable[Correction]) -> int:
    """What a record costs after all corrections of it."""
    return charge.micros + sum(each.micros for each in corrections)


def counter_entry(
    charge: Charge, before: Iterable[Correction], *, to_micros: int, reason: str, who: str, now_s: float
) -> Correction:
    """The entry after which the record costs `to_micros`; raises BadInput, or Conflict where it costs that already."""
    if not reason.strip() or len(reason) > REASON_MAX or not reason.isprintable():
        raise BadInput(f"the reason is {reason!r}", remedy=f"say in 1 to {REASON_MAX} letters why")
    if not 0 <= to_micros <= MICROS_MAX:
        raise BadInput(f"a request cannot cost {to_micros} micros", remedy=f"give 0 to {MICROS_MAX}")
    micros = to_micros - net_micros(charge, before)
    if not micros:
        raise Conflict(
            f"the record {charge.record.id!r} costs {to_micros} micros already", remedy="there is nothing to correct"
        )
    return Correction(charge=charge.record.id, micros=micros, reason=reason.strip(), who=who, made_s=now_s)
