"""Sums and lists of the ledger, inside a transaction that the caller holds. Sums are of the charges themselves."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Row, case, func, select

from alliage.control.books import Asked
from alliage.ledger.correcting import Correction
from alliage.ledger.periods import day_text
from alliage.ledger.statements import BillLine, By, Line, Sums
from alliage.store import rows, tables

_CHARGES: Final = tables.charges.c
_CORRECTIONS: Final = tables.corrections.c
_SUMS: Final = (
    func.count().label("requests"),
    func.sum(_CHARGES.prompt_tokens).label("prompt_tokens"),
    func.sum(_CHARGES.cached_tokens).label("cached_tokens"),
    func.sum(_CHARGES.output_tokens).label("output_tokens"),
    func.sum(case((_CHARGES.is_estimated, 1), else_=0)).label("estimated"),
    func.sum(case((_CHARGES.is_priced, 0), else_=1)).label("unpriced"),
    func.sum(_CHARGES.micros).label("charged_micros"),
)
_FIELDS: Final = frozenset({*(each.name for each in _SUMS), "corrected_micros"})
_COLUMNS: Final[Mapping[By, Column[Any]]] = {
    By.TENANT: _CHARGES.tenant,
    By.PROJECT: _CHARGES.project,
    By.KEY: _CHARGES.key,
    By.SERVICE: _CHARGES.service,
    By.MODEL: _CHARGES.model,
    By.DAY: _CHARGES.day,
    By.CHIP: _CHARGES.chip,
}


def read_lines(connection: Connection, asked: Asked, by: By) -> tuple[Line, ...]:
    """The sums by something, sorted by name; a correction counts to the day on which it was made."""
    column = _COLUMNS[by]
    found: dict[Any, dict[str, int]] = {}
    for row in connection.execute(select(column.label("name"), *_SUMS).where(*charges_asked(asked)).group_by(column)):
        found[row.name] = _whole(row)
    corrected_by = _CORRECTIONS.day if by is By.DAY else column
    query = (
        select(corrected_by.label("name"), func.sum(_CORRECTIONS.micros).label("corrected_micros"))
        .join_from(tables.corrections, tables.charges, _CHARGES.id == _CORRECTIONS.charge)
        .where(*_corrections_asked(asked))
        .group_by(corrected_by)
    )
    for row in connection.execute(query):
        found.setdefault(row.name, {}).update(_whole(row))
    return tuple(
        Line(name=day_text(name) if by is By.DAY else name, sums=Sums(**sums)) for name, sums in sorted(found.items())
    )


def read_bill_lines(connection: Connection, asked: Asked) -> tuple[BillLine, ...]:
    """The sums of charges by service and model, sorted."""
    columns = (_CHARGES.service, _CHARGES.model)
    query = select(*columns, *_SUMS).where(*charges_asked(asked)).group_by(*columns)
    found = (
        BillLine(service=row.service, model=row.model, sums=Sums(**_whole(row))) for row in connection.execute(query)
    )
    return tuple(sorted(found, key=lambda line: (line.service, line.model)))


def read_corrections(connection: Connection, asked: Asked) -> tuple[Correction, ...]:
    """Those that were made in the time asked for, oldest first."""
    query = (
        select(tables.corrections)
        .join_from(tables.corrections, tables.charges, _CHARGES.id == _CORRECTIONS.charge)
        .where(*_corrections_asked(asked))
        .order_by(_CORRECTIONS.number)
    )
    return tuple(rows.correction_of(row) for row in connection.execute(query))


def read_corrections_of(connection: Connection, record: str) -> tuple[Correction, ...]:
    """Those of one record, oldest first."""
    query = select(tables.corrections).where(_CORRECTIONS.charge == record).order_by(_CORRECTIONS.number)
    return tuple(rows.correction_of(row) for row in connection.execute(query))


def charges_asked(asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on charges."""
    return [_CHARGES.began_s >= asked.from_s, _CHARGES.began_s < asked.until_s, *_of_whom(asked)]


def _corrections_asked(asked: Asked) -> list[ColumnElement[bool]]:
    return [_CORRECTIONS.made_s >= asked.from_s, _CORRECTIONS.made_s < asked.until_s, *_of_whom(asked)]


def _of_whom(asked: Asked) -> list[ColumnElement[bool]]:
    named = (
        (_CHARGES.tenant, asked.tenant),
        (_CHARGES.project, asked.project),
        (_CHARGES.key, asked.key),
        (_CHARGES.service, asked.service),
    )
    return [column == name for column, name in named if name]


def _whole(row: Row[Any]) -> dict[str, int]:
    # PostgreSQL sums whole numbers to decimals, which are whole as well.
    return {str(name): int(value) for name, value in row._mapping.items() if name in _FIELDS}  # noqa: SLF001
