"""The ledger of a storm, read from control's own store: each charge, and every sum that is kept or made of them."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alliage.control.books import Asked
from alliage.fleet.limits import Scope
from alliage.ledger.charging import Charge, spending
from alliage.ledger.periods import day_text
from alliage.ledger.statements import BillLine, By, Line, added, sums_of
from alliage.store.sql import open_store

_ALL = Asked()
_MANY = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All of it."""

    charges: tuple[Charge, ...]
    kept: Mapping[By, tuple[Line, ...]]
    """What `alliage usage` says: running sums."""
    recounted: Mapping[By, tuple[Line, ...]]
    """The same with `--recount`."""
    bills: tuple[BillLine, ...]
    """Of all tenants."""
    spent: Mapping[tuple[Scope, int], int]
    """What limits of money are held to."""


def read_ledger(database: Path) -> Ledger:
    """What is in the store's file now; control may run."""
    with closing(open_store(database)) as store:
        books = store.books()
        return Ledger(
            charges=books.charges(_ALL, limit=_MANY),
            kept={by: books.lines(_ALL, by) for by in By},
            recounted={by: books.lines(_ALL, by, recount=True) for by in By},
            bills=books.bill(_ALL)[0],
            spent=books.spent(0),
        )


def judge_sums(ledger: Ledger) -> list[str]:
    """Which totals are not the sum of their records; none when the books are right."""
    wrong: list[str] = []
    for by in By:
        lines = _lines(ledger.charges, by)
        wrong += [f"{name} by {by} is {told[by]}, its records make {lines}" for name, told in (
            ("usage", ledger.kept), ("usage recounted", ledger.recounted)) if told[by] != lines]  # fmt: skip
    total, billed = added(map(sums_of, ledger.charges)), added(line.sums for line in ledger.bills)
    if billed != total:
        wrong.append(f"the bills come to {billed}, their records to {total}")
    if ledger.spent != (spent := dict(spending(ledger.charges))):
        wrong.append(f"what was spent is {ledger.spent}, its records make {spent}")
    return wrong


def _lines(charges: Sequence[Charge], by: By) -> tuple[Line, ...]:
    """What usage must say, added up here."""
    found: dict[str, list[Charge]] = {}
    for charge in charges:
        found.setdefault(_name(charge, by), []).append(charge)
    return tuple(Line(name=name, sums=added(map(sums_of, found[name]))) for name in sorted(found))


def _name(charge: Charge, by: By) -> str:
    record = charge.record
    if by in {By.MODEL, By.CHIP}:
        return str(getattr(record.origin, by))
    return day_text(charge.day) if by is By.DAY else str(getattr(record, by))
