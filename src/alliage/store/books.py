"""SqlBooks: the ledger in SQL. Charges, corrections and prices are only ever added; `sums` and `spent` are running sums by day."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, Row, Table, insert, select, update

from alliage.control.books import Asked
from alliage.errors import NotFound
from alliage.fleet.limits import Scope
from alliage.ledger.charging import Charge, scopes_of, spending
from alliage.ledger.correcting import Correction
from alliage.ledger.device_hours import ListedDevice
from alliage.ledger.pricing import ListedPrice
from alliage.ledger.scarcity import Factor
from alliage.ledger.statements import Account, BillLine, By, Line, Sums, summed
from alliage.store import rows, sums, tables

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

Entry = TypeVar("Entry")
_ACCOUNT: Final = tuple(field.name for field in fields(Account))
_IN_CURRENCY: Final = (tables.prices, tables.device_prices, tables.spent, tables.corrections)
ROWS_A_STATEMENT: Final = 500
"""SQLite and PostgreSQL both bound the parameters of a statement."""


class SqlBooks:
    """`control.books.Books`. Made by `SqlStore.books`; any thread may call it, SQL keeps writers apart."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Connection]],
        writing: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        self._reading = reading
        self._writing = writing

    def use_currency(self, currency: str) -> str:
        """The currency of the books: from now on this one, unless prices or money are in another one already."""
        with self._writing() as connection:
            kept = connection.execute(select(tables.ledger.c.currency)).scalar()
            if kept is None:
                connection.execute(insert(tables.ledger).values(id=1, currency=currency))
            elif kept != currency:
                if any(_has_rows(connection, table) for table in _IN_CURRENCY):
                    return str(kept)
                connection.execute(update(tables.ledger).values(currency=currency))
        return currency

    def take(self, charges: Sequence[Charge]) -> tuple[Charge, ...]:
        """Keep them in one transaction, each record's id once for ever; those that were new."""
        told: dict[str, Charge] = {}
        for charge in charges:
            told.setdefault(charge.record.id, charge)
        new = [rows.charge_row(charge) for charge in told.values()]
        if not new:
            return ()
        with self._writing() as connection:
            fresh = tuple(told[record] for record in _insert_new(connection, new))
            _add_up(connection, summed(fresh))
            _spend(connection, spending(fresh))
        return fresh

    def spent(self, from_day: int, scope: Scope | None = None) -> Mapping[tuple[Scope, int], int]:
        """Micros by scope (one or all) and day, of requests that began on that day (since 1970) or later, corrected."""
        table = tables.spent
        whose = () if scope is None else (table.c.scope == scope,)
        with self._reading() as connection:
            found = connection.execute(select(table).where(table.c.day >= from_day, *whose))
            return {(Scope(row.scope), row.day): row.micros for row in found}

    def prices(self) -> tuple[ListedPrice, ...]:
        """All entries there have been, in the order in which they were set."""
        return self._all(tables.prices, rows.price_of)

    def list_prices(self, entries: Sequence[ListedPrice]) -> None:
        """Add entries to the price list."""
        self._append(tables.prices, [rows.price_row(entry) for entry in entries])

    def devices(self) -> tuple[ListedDevice, ...]:
        """All prices of device-hours there have been, in the order in which they were set."""
        return self._all(tables.device_prices, rows.device_price_of)

    def list_devices(self, entries: Sequence[ListedDevice]) -> None:
        """Add entries to them, in one transaction."""
        self._append(tables.device_prices, [rows.device_price_row(entry) for entry in entries])

    def factors(self) -> tuple[Factor, ...]:
        """All factors for scarcity there have been, in the order in which they were added."""
        return self._all(tables.factors, rows.factor_of)

    def post_factors(self, entries: Sequence[Factor]) -> None:
        """Add entries to them, in one transaction."""
        self._append(tables.factors, [rows.factor_row(entry) for entry in entries])

    def _all(self, table: Table, read: Callable[[Row[Any]], Entry]) -> tuple[Entry, ...]:
        with self._reading() as connection:
            found = connection.execute(select(table).order_by(table.c.number))
            return tuple(read(row) for row in found)

    def _append(self, table: Table, new: Sequence[rows.RowValues]) -> None:
        with self._writing() as connection:
            for row in new:
                connection.execute(insert(table), row)

    def lines(self, asked: Asked, by: By, *, recount: bool = False) -> tuple[Line, ...]:
        """The sums of charges by something, of whole days, sorted by name, with the corrections made in that time."""
        with self._reading() as connection:
            return sums.read_lines(connection, asked, by, recount=recount)

    def bill(self, asked: Asked) -> tuple[tuple[BillLine, ...], tuple[Correction, ...]]:
        """Sums of charges by service and model, sorted; and the corrections made in that time, oldest first. One picture."""
        with self._reading() as connection:
            return sums.read_bill_lines(connection, asked), sums.read_corrections(connection, asked)

    def charges(self, asked: Asked, *, limit: int, before: str = "") -> tuple[Charge, ...]:
        """The newest first by their beginning; only those older than the record `before`. Raises NotFound for no such record."""
        table = tables.charges
        with self._reading() as connection:
            query = select(table).where(*sums.charges_asked(asked))
            if before:
                mark = _mark(connection, before, asked.tenant)
                is_older = (table.c.began_s < mark.began_s) | (
                    (table.c.began_s == mark.began_s) & (table.c.number < mark.number)
                )
                query = query.where(table.c.began_s <= mark.began_s, is_older)
            newest = query.order_by(table.c.began_s.desc(), table.c.number.desc()).limit(limit)
            return tuple(rows.charge_of(row) for row in connection.execute(newest))

    def charge(self, record: str) -> tuple[Charge, tuple[Correction, ...]]:
        """One record's charge with its corrections, oldest first; raises NotFound."""
        with self._reading() as connection:
            return _one(connection, record)

    def correct(
        self, record: str, decide: Callable[[Charge, tuple[Correction, ...]], Correction], *, dry_run: bool
    ) -> tuple[Charge, Correction]:
        """Decide on a counter-entry and keep it, in one transaction; raises NotFound, and what `decide` raises."""
        with self._reading() if dry_run else self._writing() as connection:
            charge, before = _one(connection, record, lock=not dry_run)
            made = decide(charge, before)
            if not dry_run:
                connection.execute(insert(tables.corrections), rows.correction_row(made, charge))
                _spend(connection, {(scope, charge.day): made.micros for scope in scopes_of(charge.record)})
        return charge, made


def _insert_new(connection: Connection, new: list[rows.RowValues]) -> list[str]:
    """Insert the charges whose id is not there yet; their ids."""
    put = _inserting(connection, tables.charges).on_conflict_do_nothing(index_elements=["id"])
    telling = put.returning(tables.charges.c.id)
    return [
        record
        for start in range(0, len(new), ROWS_A_STATEMENT)
        for record in connection.execute(telling, new[start : start + ROWS_A_STATEMENT]).scalars()
    ]


def _add_up(connection: Connection, by_account: Mapping[Account, Sums]) -> None:
    """Add charges to the running sums of their days."""
    new = [
        {name: getattr(account, name) for name in _ACCOUNT}
        | {name: getattr(by_account[account], name) for name in sums.COUNTED}
        for account in sorted(by_account)
    ]
    _add(connection, tables.sums, new)


def _spend(connection: Connection, spent: Mapping[tuple[Scope, int], int]) -> None:
    """Add money to the running sums of what was spent."""
    new = [{"scope": scope, "day": day, "micros": micros} for (scope, day), micros in sorted(spent.items())]
    _add(connection, tables.spent, new)


def _add(connection: Connection, table: Table, new: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; where one of that key is there already, add to its other columns."""
    if not new:
        return
    put = _inserting(connection, table)
    keys = [column.name for column in table.primary_key]
    sums_up = {column.name: column + put.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(put.on_conflict_do_update(index_elements=keys, set_=sums_up), new)


def _inserting(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An insert of the dialect in use; that of a database that is not in use costs 2 MB."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)


def _one(connection: Connection, record: str, *, lock: bool = False) -> tuple[Charge, tuple[Correction, ...]]:
    query = select(tables.charges).where(tables.charges.c.id == record)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise _no_record(record)
    return rows.charge_of(row), sums.read_corrections_of(connection, record)


def _mark(connection: Connection, record: str, tenant: str) -> Row[float, int]:
    """Where a record stands among the others; nobody learns so that another tenant's is there."""
    table = tables.charges
    query = select(table.c.began_s, table.c.number).where(table.c.id == record)
    mark = connection.execute(query.where(table.c.tenant == tenant) if tenant else query).first()
    if mark is None:
        raise _no_record(record)
    return mark


def _no_record(record: str) -> NotFound:
    return NotFound(f"the ledger has no record {record!r}", remedy="`alliage usage records` lists them")


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table).limit(1)).first() is not None
