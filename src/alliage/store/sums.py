"""Sums and lists of the ledger, inside a transaction that the caller holds.

The running sums of a day change with the charges, in one transaction; what they say can be had of the charges too.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, case, func, select

from alliage.control.books import Asked
from alliage.ledger.correcting import Correction
from alliage.ledger.periods import day_of, day_text
from alliage.ledger.statements import BillLine, By, Line, Sums
from alliage.store import rows, tables

_CHARGES: Final = tables.charges.c
_CORRECTIONS: Final = tables.corrections.c
_DAYS: Final = tables.sums.c
COUNTED: Final = (
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "estimated",
    "unpriced",
    "charged_micros",
    "scarcity_micros",
)
"""The columns of `sums` that are sums, which are fields of Sums."""
_OF_DAYS: Final = tuple(func.sum(_DAYS[name]).label(name) for name in COUNTED)
_OF_CHARGES: Final = (
    func.count().label("requests"),
    func.sum(_CHARGES.prompt_tokens).label("prompt_tokens"),
    func.sum(_CHARGES.cached_tokens).label("cached_tokens"),
    func.sum(_CHARGES.output_tokens).label("output_tokens"),
    func.sum(case((_CHARGES.is_estimated, 1), else_=0)).label("estimated"),
    func.sum(case((_CHARGES.is_priced, 0), else_=1)).label("unpriced"),
    func.sum(_CHARGES.micros).label("charged_micros"),
    func.sum(_CHARGES.scarcity_micros).label("scarcity_micros"),
)


def read_lines(connection: Connection, asked: Asked, by: By, *, recount: bool = False) -> tuple[Line, ...]:
    """The sums by something, sorted by name; a correction counts to the day on which it was made.

    Of whole days; with `recount` not of the running sums, but of the charges.
    """
    if recount:
        column = _CHARGES[by]
        query = select(column.label("name"), *_OF_CHARGES).where(*charges_asked(asked)).group_by(column)
    else:
        column = _DAYS[by]
        query = select(column.label("name"), *_OF_DAYS).where(*_days_asked(asked)).group_by(column)
    found = {row.name: _whole(row) for row in connection.execute(query)}
    for name, micros in _corrected(connection, asked, by).items():
        found.setdefault(name, {})["corrected_micros"] = micros
    return tuple(
        Line(name=day_text(name) if by is By.DAY else name, sums=Sums(**sums)) for name, sums in sorted(found.items())
    )


def read_bill_lines(connection: Connection, asked: Asked) -> tuple[BillLine, ...]:
    """The sums of charges by service and model, sorted; of whole days."""
    columns = (_DAYS.service, _DAYS.model)
    query = select(*columns, *_OF_DAYS).where(*_days_asked(asked)).group_by(*columns)
    found = (
        BillLine(service=row.service, model=row.model, sums=Sums(**_whole(row))) for row in connection.execute(query)
    )
    return tuple(sorted(found, key=lambda line: (line.service, line.model)))


def read_corrections(connection: Connection, asked: Asked) -> tuple[Correction, ...]:
    """Those that were made in the time asked for, oldest first."""
    query = select(tables.corrections).where(*_corrections_asked(asked)).order_by(_CORRECTIONS.number)
    return tuple(rows.correction_of(row) for row in connection.execute(query))


def read_corrections_of(connection: Connection, record: str) -> tuple[Correction, ...]:
    """Those of one record, oldest first."""
    query = select(tables.corrections).where(_CORRECTIONS.charge == record).order_by(_CORRECTIONS.number)
    return tuple(rows.correction_of(row) for row in connection.execute(query))


def charges_asked(asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on charges."""
    return [_CHARGES.began_s >= asked.from_s, _CHARGES.began_s < asked.until_s, *_of_whom(asked, tables.charges)]


def _days_asked(asked: Asked) -> list[ColumnElement[bool]]:
    within = (_DAYS.day >= day_of(asked.from_s), _DAYS.day < day_of(asked.until_s))
    return [*within, *_of_whom(asked, tables.sums)]


def _corrections_asked(asked: Asked) -> list[ColumnElement[bool]]:
    within = (_CORRECTIONS.made_s >= asked.from_s, _CORRECTIONS.made_s < asked.until_s)
    return [*within, *_of_whom(asked, tables.corrections)]


def _of_whom(asked: Asked, table: Table) -> list[ColumnElement[bool]]:
    named = {"tenant": asked.tenant, "project": asked.project, "key": asked.key, "service": asked.service}
    return [table.c[column] == name for column, name in named.items() if name]


def _corrected(connection: Connection, asked: Asked, by: By) -> Mapping[Any, int]:
    """Micros by name."""
    column = _CORRECTIONS[by]
    micros = func.sum(_CORRECTIONS.micros).label("micros")
    query = select(column.label("name"), micros).where(*_corrections_asked(asked)).group_by(column)
    return {row.name: int(row.micros) for row in connection.execute(query)}


def _whole(row: Row[Any]) -> dict[str, int]:
    # PostgreSQL sums whole numbers to decimals, which are whole as well.
    return {name: int(row._mapping[name]) for name in COUNTED}  # noqa: SLF001
